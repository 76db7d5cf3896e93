"""Names, places and the menu of the demo café. All people are invented."""

from django.utils.translation import gettext_noop as _

PROGRAMME = "Corner Café 街角咖啡"
ADDRESS = "Corner Café, Hafenstraße 12, 10243 Berlin"
CONTACT = "hello@corner-cafe.example"
CURRENCY, TIME_ZONE = "EUR", "Europe/Berlin"
STORES = ("Harbour Street", "Old Town", "Central Station")

# Names, apart by spaces; Chinese family names are one character each.
CHINESE_FAMILY = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何林罗梁宋郑谢韩唐冯董萧程曹"
CHINESE_GIVEN = (
    "伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 霞 平 刚 桂英 建华 志强 秀兰 晓明 雨桐 子涵 欣怡 浩然 "
    "思远 梓萱 若曦 嘉怡 俊杰 文博 佳琪 雅婷 宇航 诗涵 天佑 晨曦 婉清 书瑶 景行 安然 乐天 知夏 念慈"
)
EUROPEAN_GIVEN = (
    "Emma Mia Hannah Lena Clara Sofia Marie Laura Julia Lea Nora Ella Ida Freya Astrid Chloe Camille Elena Giulia "
    "Lucia Paul Leon Finn Jonas Lukas Felix Max Noah Oscar Emil Anton Theo Jakob Hugo Louis Marco Matteo Luca "
    "Pablo Diego Tomasz Jakub Zofia Hanna Katarzyna Petr Jana Andrei Ioana Dimitra Nikos Aoife Ciaran Rhys Maren"
)
EUROPEAN_FAMILY = (
    "Müller Schmidt Schneider Fischer Weber Wagner Becker Hoffmann Koch Richter Klein Wolf Neumann Schwarz Zimmermann "
    "Dubois Moreau Laurent Lefebvre Rossi Russo Ferrari Bianchi García Fernández López Martín Kowalska Nowak "
    "Wiśniewski Novák Svoboda Popescu Ionescu Papadopoulos Jensen Nielsen Andersson Lindqvist Virtanen "
    "Murphy O'Brien Walsh Smith Taylor Evans Hughes Vos Jansen Bakker"
)
EUROPEAN_CITIES = (("Berlin", 12), ("Potsdam", 3), ("Hamburg", 2), ("Leipzig", 1), ("Wien", 1))
CHINESE_CITIES = (("Berlin", 9), ("Potsdam", 1), ("Hamburg", 1), ("上海", 2), ("杭州", 1))
ZONES = {"上海": "Asia/Shanghai", "杭州": "Asia/Shanghai", "Wien": "Europe/Vienna"}

BRANDS = {"B01": "Morgenrot", "B02": "Yunnan Gold", "C05": "Morgenrot", "T01": "Longding", "T02": "Longding"}
# (article, name, category, cents, how often)
MENU = (
    ("C01", "Espresso", "Coffee", 240, 6),
    ("C02", "Cappuccino", "Coffee", 360, 14),
    ("C03", "Flat White", "Coffee", 390, 10),
    ("C04", "Oat Latte", "Coffee", 450, 9),
    ("C05", "Filter of the Day", "Coffee", 320, 6),
    ("T01", "Jasmine Tea 茉莉花茶", "Tea", 380, 5),
    ("T02", "Longjing Tea 龙井茶", "Tea", 520, 3),
    ("T03", "Masala Chai", "Tea", 420, 3),
    ("P01", "Butter Croissant", "Pastry", 280, 9),
    ("P02", "Cinnamon Bun", "Pastry", 340, 7),
    ("P03", "Red Bean Bun 豆沙包", "Pastry", 330, 5),
    ("P04", "Cheesecake", "Pastry", 480, 4),
    ("L01", "Avocado Toast", "Lunch", 890, 3),
    ("L02", "Soup of the Day", "Lunch", 750, 3),
    ("L03", "Scallion Pancake 葱油饼", "Lunch", 690, 3),
    ("B01", "House Beans 250 g", "Beans", 1190, 2),
    ("B02", "Yunnan Beans 云南咖啡豆 250 g", "Beans", 1490, 1),
)
ONLINE = tuple(item for item in MENU if item[2] == "Beans")
REWARDS = ((60, _("Free coffee")), (90, _("Free cake")), (150, _("House beans 250 g")))
REFUND_REASONS = ("Order was wrong", "Cold coffee", "Card charged twice", "Item was sold out")
ADJUSTMENTS = (
    (20, _("Sorry for the long wait")),
    (50, _("Filled in our survey")),
    (30, _("Forgot the card")),
    (-15, _("Booked twice")),
)
BIRTHDAY_GIFT = 25
UNSURE_ADDRESS = "guest329@corner-cafe.example"
WRONG_ADDRESSES = tuple(f"guest{n}@corner-cafe.example" for n in range(7, 400, 40))

TIERS = ((None, "1.00", "Member", "会员"), (200, "1.25", "Silver", "银卡会员"), (600, "1.50", "Gold", "金卡会员"))
WORDINGS = {
    "greetings": (
        "Yes, congratulate me on my birthday and on holidays. I can withdraw this at any time.",
        "我同意在生日和节日时收到祝福，并可随时撤回。",
    ),
    "offers": (
        "Yes, tell me about offers and news. I can withdraw this at any time.",
        "我同意接收优惠和新品信息，并可随时撤回。",
    ),
    "profiling": (
        "Yes, choose what you show and send me by what I bought and read. I can withdraw this at any time; my points,"
        " my tier and my card do not depend on it.",
        "我同意根据我的购买和阅读记录为我挑选展示和发送的内容。我可随时撤回，这不影响我的积分、等级和会员卡。",
    ),
    "sharing": (
        "Yes, give my name and address to Parcel Bike Ltd. so that they deliver what I order. For nothing else.",
        "我同意将我的姓名和地址提供给 Parcel Bike Ltd.，仅用于配送我订购的商品。",
    ),
}

PASSWORD = "corner-cafe"  # noqa: S105  of accounts that exist in the demo only
API_KEY = "crm_demo_corner-cafe"  # as public as the password, and in the demo only
STAFF = (
    ("manager@demo.example", "Mara", "Vogel", "Manager"),
    ("marketer@demo.example", "Jonas", "Winter", "Marketer"),
    ("till@demo.example", "Aylin", "Kaya", "Till"),
)
MEMBERS = ("anna@demo.example", "mei@demo.example")
