"""The occasions that come with the product. Staff switch them on and off, rename and move them, and add their own."""

from typing import NamedTuple

from campaigns.enums import MemberDay, OccasionKind, OccasionRule
from campaigns.occasions import LAST, Rule

FESTIVAL, SHOPPING, MEMBER = OccasionKind.FESTIVAL, OccasionKind.SHOPPING, OccasionKind.MEMBER
CHINESE = ("CN", "HK", "MO", "TW", "SG", "MY")
WESTERN = ("DE", "AT", "CH", "FR", "IT", "ES", "NL", "BE", "GB", "IE", "US", "CA", "AU", "NZ")
MAY_MOTHERS = ("CN", "HK", "TW", "SG", "MY", "JP", "DE", "AT", "CH", "IT", "NL", "BE", "US", "CA", "AU", "NZ")
NEAR = ("DE", "AT", "CH", "FR", "NL", "BE")
JUNE_FATHERS = ("CN", "HK", "SG", "MY", "JP", "GB", "IE", "FR", "NL", "US", "CA")
MONDAY, THURSDAY, SUNDAY = 0, 3, 6


class Festival(NamedTuple):
    """An occasion as it comes; no countries: everywhere."""

    key: str
    en: str
    zh: str
    kind: OccasionKind
    rule: Rule
    countries: tuple[str, ...] = ()
    member_day: str = ""


def _solar(month: int, day: int) -> Rule:
    return Rule(OccasionRule.SOLAR, month, day)


def _lunar(month: int, day: int) -> Rule:
    return Rule(OccasionRule.LUNAR, month, day)


def _weekday(nth: int, weekday: int, month: int, offset: int = 0) -> Rule:
    return Rule(OccasionRule.WEEKDAY, month, weekday=weekday, nth=nth, offset=offset)


def _easter(offset: int) -> Rule:
    return Rule(OccasionRule.EASTER, offset=offset)


def _term(name: str) -> Rule:
    return Rule(OccasionRule.TERM, term=name)


FESTIVALS = (
    # The Chinese year
    Festival("laba", "Laba Festival", "腊八节", FESTIVAL, _lunar(12, 8), ("CN",)),
    Festival("little-new-year", "Little New Year", "小年", FESTIVAL, _lunar(12, 23), ("CN",)),
    Festival("lunar-new-years-eve", "Lunar New Year's Eve", "除夕", FESTIVAL, _lunar(12, 30), CHINESE),
    Festival("spring-festival", "Spring Festival", "春节", FESTIVAL, _lunar(1, 1), CHINESE),
    Festival("lantern", "Lantern Festival", "元宵节", FESTIVAL, _lunar(1, 15), CHINESE),
    Festival("dragon-head", "Dragon Head Day", "龙抬头", FESTIVAL, _lunar(2, 2), ("CN",)),
    Festival("qingming", "Qingming Festival", "清明节", FESTIVAL, _term("qingming"), CHINESE),
    Festival("dragon-boat", "Dragon Boat Festival", "端午节", FESTIVAL, _lunar(5, 5), CHINESE),
    Festival("qixi", "Qixi Festival", "七夕节", FESTIVAL, _lunar(7, 7), CHINESE),
    Festival("zhongyuan", "Zhongyuan Festival", "中元节", FESTIVAL, _lunar(7, 15), CHINESE),
    Festival("mid-autumn", "Mid-Autumn Festival", "中秋节", FESTIVAL, _lunar(8, 15), CHINESE),
    Festival("double-ninth", "Double Ninth Festival", "重阳节", FESTIVAL, _lunar(9, 9), CHINESE),
    Festival("winter-solstice", "Winter Solstice", "冬至", FESTIVAL, _term("winter-solstice"), CHINESE),
    Festival("youth-day", "Youth Day", "五四青年节", FESTIVAL, _solar(5, 4), ("CN",)),
    Festival("childrens-day", "Children's Day", "六一儿童节", FESTIVAL, _solar(6, 1), ("CN",)),
    Festival("teachers-day", "Teachers' Day", "教师节", FESTIVAL, _solar(9, 10), ("CN",)),
    Festival("national-day-cn", "National Day of China", "国庆节", FESTIVAL, _solar(10, 1), ("CN",)),
    # The solar year
    Festival("new-year", "New Year's Day", "元旦", FESTIVAL, _solar(1, 1)),
    Festival("valentines", "Valentine's Day", "情人节", FESTIVAL, _solar(2, 14)),
    Festival("womens-day", "Women's Day", "三八妇女节", FESTIVAL, _solar(3, 8)),
    Festival("st-patricks", "St Patrick's Day", "圣帕特里克节", FESTIVAL, _solar(3, 17), ("IE", "GB", "US")),
    Festival("labour-day", "Labour Day", "劳动节", FESTIVAL, _solar(5, 1), ("CN", "DE", "AT", "FR", "IT", "ES", "BE")),
    Festival("halloween", "Halloween", "万圣夜", FESTIVAL, _solar(10, 31), WESTERN),
    Festival("st-nicholas", "St Nicholas' Day", "圣尼古拉节", FESTIVAL, _solar(12, 6), ("DE", "AT", "CH", "NL", "BE")),
    Festival("christmas-eve", "Christmas Eve", "平安夜", FESTIVAL, _solar(12, 24)),
    Festival("christmas", "Christmas Day", "圣诞节", FESTIVAL, _solar(12, 25)),
    Festival("new-years-eve", "New Year's Eve", "跨年夜", FESTIVAL, _solar(12, 31)),
    # By weekday
    Festival("mothers-day", "Mother's Day", "母亲节", FESTIVAL, _weekday(2, SUNDAY, 5), MAY_MOTHERS),
    Festival("mothers-day-fr", "Mother's Day in France", "法国母亲节", FESTIVAL, _weekday(LAST, SUNDAY, 5), ("FR",)),
    Festival("mothering-sunday", "Mothering Sunday", "英国母亲节", FESTIVAL, _easter(-21), ("GB", "IE")),
    Festival("fathers-day", "Father's Day", "父亲节", FESTIVAL, _weekday(3, SUNDAY, 6), JUNE_FATHERS),
    Festival("fathers-day-au", "Father's Day down under", "澳新父亲节", FESTIVAL, _weekday(1, SUNDAY, 9), ("AU", "NZ")),
    Festival("thanksgiving", "Thanksgiving", "感恩节", FESTIVAL, _weekday(4, THURSDAY, 11), ("US",)),
    Festival("thanksgiving-ca", "Thanksgiving in Canada", "加拿大感恩节", FESTIVAL, _weekday(2, MONDAY, 10), ("CA",)),
    # By Easter
    Festival("carnival-monday", "Carnival Monday", "狂欢节星期一", FESTIVAL, _easter(-48), ("DE", "AT", "CH")),
    Festival("good-friday", "Good Friday", "耶稣受难日", FESTIVAL, _easter(-2), WESTERN),
    Festival("easter", "Easter Sunday", "复活节", FESTIVAL, _easter(0), WESTERN),
    Festival("easter-monday", "Easter Monday", "复活节星期一", FESTIVAL, _easter(1), tuple(set(WESTERN) - {"US"})),
    Festival("ascension", "Ascension Day", "耶稣升天节", FESTIVAL, _easter(39), NEAR),
    Festival("whit-monday", "Whit Monday", "圣灵降临节星期一", FESTIVAL, _easter(50), NEAR),
    Festival("fathers-day-de", "Father's Day in Germany", "德国父亲节", FESTIVAL, _easter(39), ("DE",)),
    # Days to shop
    Festival("520", "520", "520表白日", SHOPPING, _solar(5, 20), ("CN",)),
    Festival("618", "618", "618年中大促", SHOPPING, _solar(6, 18), ("CN",)),
    Festival("1111", "11.11", "双十一", SHOPPING, _solar(11, 11)),
    Festival("1212", "12.12", "双十二", SHOPPING, _solar(12, 12), ("CN", "SG", "MY")),
    Festival("black-friday", "Black Friday", "黑色星期五", SHOPPING, _weekday(4, THURSDAY, 11, offset=1)),
    Festival("cyber-monday", "Cyber Monday", "网络星期一", SHOPPING, _weekday(4, THURSDAY, 11, offset=4), WESTERN),
    # Each member's own
    Festival("birthday", "Birthday", "生日", MEMBER, Rule(OccasionRule.MEMBER), (), MemberDay.BIRTHDAY),
    Festival("joined", "Day of joining", "入会纪念日", MEMBER, Rule(OccasionRule.MEMBER), (), MemberDay.JOINED),
    Festival(
        "first-purchase", "First purchase", "首次购物纪念日", MEMBER, Rule(OccasionRule.MEMBER), (),
        MemberDay.FIRST_PURCHASE,
    ),
)  # fmt: skip

# What the library has in English alone.
IN_CHINESE = {
    "New Year's Day": "元旦",
    "Good Friday": "耶稣受难日",
    "Easter Monday": "复活节星期一",
    "Easter Sunday": "复活节",
    "Labor Day": "劳动节",
    "May Day": "五月节",
    "Ascension Day": "耶稣升天节",
    "Whit Monday": "圣灵降临节星期一",
    "Pentecost Monday": "圣灵降临节星期一",
    "Corpus Christi": "基督圣体节",
    "Assumption Day": "圣母升天节",
    "All Saints' Day": "诸圣节",
    "Epiphany": "主显节",
    "Immaculate Conception": "圣母无染原罪节",
    "German Unity Day": "德国统一日",
    "Second Day of Christmas": "圣诞节次日",
    "St. Stephen's Day": "圣斯德望日",
    "Boxing Day": "节礼日",
    "Spring Bank Holiday": "春季银行假日",
    "Late Summer Bank Holiday": "夏末银行假日",
    "Martin Luther King Jr. Day": "马丁·路德·金纪念日",
    "Washington's Birthday": "华盛顿诞辰日",
    "Memorial Day": "阵亡将士纪念日",
    "Juneteenth National Independence Day": "六月节",
    "Independence Day": "独立日",
    "Columbus Day": "哥伦布日",
    "Veterans Day": "退伍军人节",
    "National Day": "国庆节",
    "Canada Day": "加拿大日",
    "Australia Day": "澳大利亚日",
    "ANZAC Day": "澳新军团日",
    "Eid al-Fitr": "开斋节",
    "Eid al-Adha": "古尔邦节",
    "Vesak Day": "卫塞节",
    "Diwali": "排灯节",
    "Deepavali": "屠妖节",
    "Bastille Day": "法国国庆日",
    "Armistice Day": "一战停战纪念日",
    "Victory Day": "胜利日",
}
