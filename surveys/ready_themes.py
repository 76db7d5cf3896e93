"""Themes that nearly every shop hears about, to begin with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadyTheme:
    en: str
    zh: str
    terms: str  # in both languages, parted by commas


THEMES = {
    "service": ReadyTheme(
        "Service",
        "服务",
        "service, served, helpful, friendly, unfriendly, rude, polite, impolite, attentive, ignored, welcoming, "
        "服务, 态度, 热情, 友好, 亲切, 礼貌, 周到, 冷淡, 不耐烦, 敷衍",
    ),
    "staff": ReadyTheme(
        "Staff",
        "员工",
        "staff, employee, barista, waiter, waitress, cashier, assistant, manager, team, at the till, "
        "员工, 店员, 服务员, 收银员, 咖啡师, 店长, 经理, 导购, 工作人员",
    ),
    "price": ReadyTheme(
        "Price",
        "价格",
        "price, pricing, pricey, priced, expensive, overpriced, cheap, cost, afford*, value, worth, discount, bargain, "
        "价格, 价钱, 贵, 便宜, 性价比, 涨价, 划算, 优惠, 打折, 不值, 超值, 公道, 实惠",
    ),
    "waiting": ReadyTheme(
        "Waiting time",
        "等候时间",
        "wait*, queue, queuing, queueing, in line, slow, slowly, quick, quickly, fast, minute, delay*, took ages, "
        "等了, 等待, 等候, 久等, 排队, 太慢, 很慢, 速度, 分钟, 很快, 又快, 效率, 迟迟",
    ),
    "quality": ReadyTheme(
        "Quality",
        "质量",
        "quality, fresh, stale, taste*, tasty, flavour, flavor, delicious, lukewarm, cold coffee, burnt, defect*, "
        "broken, faulty, best, worst, "
        "质量, 品质, 新鲜, 味道, 口味, 口感, 好喝, 好吃, 难喝, 难吃, 变味, 凉了, 温的, 坏了, 瑕疵, 破损",
    ),
    "clean": ReadyTheme(
        "Cleanliness",
        "卫生",
        "clean*, unclean, dirty, dirt, hygien*, sticky, messy, filthy, smell*, dust*, "
        "干净, 卫生, 脏, 整洁, 清洁, 异味, 油腻, 黏",
    ),
    "place": ReadyTheme(
        "The place",
        "环境",
        "seat*, table, chair, cosy, cozy, quiet, noisy, noise, loud, crowded, atmosphere, music, parking, wifi, "
        "环境, 座位, 空位, 安静, 吵, 嘈杂, 拥挤, 氛围, 音乐, 停车, 洗手间, 装修, 空调, 无线网",
    ),
    "delivery": ReadyTheme(
        "Delivery",
        "配送",
        "deliver*, courier, shipping, shipped, shipment, parcel, packag*, arrived late, "
        "配送, 外卖, 快递, 物流, 送货, 送达, 包装, 骑手, 发货",
    ),
    "choice": ReadyTheme(
        "Choice",
        "选择",
        "choice, selection, range, variety, menu, option, sold out, out of stock, vegan, decaf, oat milk, "
        "选择, 品种, 种类, 菜单, 新品, 卖完, 售罄, 缺货, 没货, 款式",
    ),
    "points": ReadyTheme(
        "Points and card",
        "积分与会员",
        "point, loyalty, reward, voucher, coupon, membership, birthday, redeem*, app, "
        "积分, 会员, 兑换, 优惠券, 奖励, 生日, 小程序",
    ),
}
