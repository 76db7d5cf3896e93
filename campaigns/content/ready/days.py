"""For days of the calendar, and for news."""

from django.utils.translation import gettext_lazy as _

from campaigns.content.ready.shape import (
    CAN_HAVE,
    COUPON,
    GIFT,
    HELLO,
    NIN,
    Ready,
    banner,
    both,
    button,
    message,
    text,
)

_SEE, _KAN = "See what is on", "看看有什么"

READY = (
    Ready(
        "spring-festival",
        _("Spring Festival"),
        _("For the new year of the Chinese calendar."),
        message(
            both("Happy Spring Festival from {{ programme.name }}", "{{ programme.name }}给您拜年了！"),
            both("May the new year bring you luck.", "祝您新春大吉，阖家安康。"),
            both(
                "{{ programme.name }} wishes you a happy Spring Festival!",
                "{{ programme.name }}祝您新春快乐，阖家安康！",
            ),
            banner("福", "red", "Happy Spring Festival", "新春大吉"),
            text(
                f"Dear {HELLO},\n\nA new year begins. May it bring you health, good company, and luck where you need"
                " it most. Thank you for the year that was.",
                f"{NIN}，您好！\n\n爆竹声中一岁除，春风送暖入屠苏。感谢您过去一年的陪伴，"
                "愿新的一年福气满门、平安顺遂。",
            ),
            GIFT,
            button(_SEE, _KAN, "home"),
            text("All of us at {{ programme.name }}", "{{ programme.name }}全体伙伴 敬贺"),
        ),
    ),
    Ready(
        "lantern",
        _("Lantern Festival"),
        _("The fifteenth day of the first lunar month."),
        message(
            both("Under the first full moon of the year", "元宵佳节，月圆人圆"),
            both("Sweet wishes for the Lantern Festival.", "送上一份甜甜的祝福。"),
            both(
                "A bright Lantern Festival from {{ programme.name }}!", "{{ programme.name }}祝您元宵快乐，团团圆圆！"
            ),
            banner("灯", "red", "A bright Lantern Festival", "元宵快乐"),
            text(
                f"Dear {HELLO},\n\nLanterns are lit, and the first full moon of the year is up. We wish you a sweet"
                " evening with everybody you love.",
                f"{NIN}，您好！\n\n花灯初上，圆月当空。愿您与家人共享一碗热气腾腾的汤圆，团团圆圆，甜甜美美。",
            ),
            GIFT,
            button(_SEE, _KAN, "rewards"),
        ),
    ),
    Ready(
        "dragon-boat",
        _("Dragon Boat Festival"),
        _("The fifth day of the fifth lunar month."),
        message(
            both("A healthy Dragon Boat Festival", "粽叶飘香，端午安康"),
            both("Rice dumplings, boats, and our best wishes.", "粽子、龙舟，还有我们的祝福。"),
            both(
                "{{ programme.name }} wishes you a healthy Dragon Boat Festival!", "{{ programme.name }}祝您端午安康！"
            ),
            banner("粽", "green", "A healthy Dragon Boat Festival", "端午安康"),
            text(
                f"Dear {HELLO},\n\nThe boats are out, and there is a smell of bamboo leaves in the air. May you and"
                " yours stay well, today and all summer.",
                f"{NIN}，您好！\n\n又是粽叶飘香时。愿您与家人佩香囊、品香粽，一夏安康，万事顺意。",
            ),
            GIFT,
            button(_SEE, _KAN, "rewards"),
        ),
    ),
    Ready(
        "qixi",
        _("Qixi"),
        _("The seventh evening of the seventh lunar month."),
        message(
            both("For you two, this evening", "七夕，愿良人相伴"),
            both("When the stars meet across the river of heaven.", "金风玉露，星河相会。"),
            both("A lovely Qixi evening from {{ programme.name }}!", "{{ programme.name }}祝您七夕快乐，与爱同行！"),
            banner("七夕", "rose", "An evening for two", "愿得一人心"),
            text(
                f"Dear {HELLO},\n\nTonight, they say, two stars meet on a bridge of magpies. Whomever you think of"
                " today: it is a good evening to tell them.",
                f"{NIN}，您好！\n\n纤云弄巧，飞星传恨，银汉迢迢暗度。今夜鹊桥相会，心里想着谁，不妨亲口告诉TA。",
            ),
            COUPON,
            button(_SEE, _KAN, "rewards"),
        ),
    ),
    Ready(
        "mid-autumn",
        _("Mid-Autumn Festival"),
        _("The full moon of the eighth lunar month."),
        message(
            both("The same moon for all of us", "但愿人长久，千里共婵娟"),
            both("Mid-Autumn wishes for you and your family.", "中秋佳节，祝您阖家团圆。"),
            both(
                "{{ programme.name }} wishes you a happy Mid-Autumn Festival!",
                "{{ programme.name }}祝您中秋快乐，阖家团圆！",
            ),
            banner("月", "night", "Happy Mid-Autumn Festival", "中秋团圆"),
            text(
                f"Dear {HELLO},\n\nAt Mid-Autumn the moon is as round as it gets. Wherever your family is, may you look"
                " at it together. Thank you for being part of ours.",
                f"{NIN}，您好！\n\n海上生明月，天涯共此时。无论身在何方，愿您与家人共赏一轮圆月，同享一份甜蜜。"
                "感谢您一路相伴。",
            ),
            GIFT,
            button(_SEE, _KAN, "rewards"),
        ),
    ),
    Ready(
        "double-ninth",
        _("Double Ninth Festival"),
        _("The ninth day of the ninth lunar month, for the elderly."),
        message(
            both("A day for those who came before us", "九九重阳，敬老情长"),
            both("Wishes for long and healthy years.", "愿岁月长久，安康常在。"),
            both(
                "{{ programme.name }} wishes you and your elders long, healthy years!",
                "{{ programme.name }}祝您和家中长辈重阳安康！",
            ),
            banner("九九", "gold", "Long and healthy years", "重阳安康"),
            text(
                f"Dear {HELLO},\n\nThe Double Ninth is a day to climb a hill, look far, and think of those who looked"
                " after us. Why not bring your parents along, or call them?",
                f"{NIN}，您好！\n\n岁岁重阳，今又重阳。登高望远，赏菊品茗，最美不过陪伴。"
                "今天，带上爸妈一起出门走走，或给他们打个电话吧。",
            ),
            GIFT,
            button(_SEE, _KAN, "rewards"),
        ),
    ),
    Ready(
        "national-day",
        _("National Day"),
        _("For the days off around a national holiday."),
        message(
            both("Enjoy the holidays", "国庆假期，愉快出发"),
            both("Some days off, and we are there for you.", "放假不打烊，随时欢迎您。"),
            both("Happy holidays from {{ programme.name }}!", "{{ programme.name }}祝您国庆快乐，假期愉快！"),
            banner("★", "red", "Enjoy the holidays", "国庆快乐"),
            text(
                f"Dear {HELLO},\n\nSome days off at last. Whether you travel or stay: have a good time. If your way"
                " leads past us, come in; your points count on holidays, too.",
                f"{NIN}，您好！\n\n金秋十月，山河锦绣。无论远行还是在家休憩，都愿您假期舒心。"
                "途经小店，欢迎进来坐坐，假日消费同样累积积分。",
            ),
            CAN_HAVE,
            button(_SEE, _KAN, "home"),
        ),
    ),
    Ready(
        "new-year",
        _("Christmas and New Year"),
        _("For the end of the year."),
        message(
            both("A peaceful end of the year", "岁末安暖，新年可期"),
            both("Thank you for this year.", "感谢您这一年的陪伴。"),
            both(
                "{{ programme.name }} wishes you a merry Christmas and a happy New Year!",
                "{{ programme.name }}祝您圣诞快乐，新年吉祥！",
            ),
            banner("❄", "green", "Merry Christmas and a happy New Year", "圣诞快乐，新年吉祥"),
            text(
                f"Dear {HELLO},\n\nThe year is nearly over. Thank you for every visit. We wish you quiet days, warm"
                " rooms, and a new year that begins well.",
                f"{NIN}，您好！\n\n一年将尽，感谢您每一次的光临。愿您岁末安暖，家人围坐、灯火可亲；新的一年，所愿皆成。",
            ),
            GIFT,
            button(_SEE, _KAN, "rewards"),
        ),
    ),
    Ready(
        "double-eleven",
        _("11.11 sale"),
        _("For the eleventh of November."),
        message(
            both("11.11: for members first", "双11，会员先享"),
            both("Our prices for this one day.", "仅此一天，会员专享。"),
            both(
                "11.11 at {{ programme.name }}: members first. {{ programme.url }}",
                "{{ programme.name }}双11，会员先享：{{ programme.url }}",
            ),
            banner("11.11", "red", "For members first", "会员先享"),
            text(
                f"Dear {HELLO},\n\nOnce a year everybody hunts for bargains. You need not hunt: what is good today is"
                " here, and members see it first.\n\n- **All day:** points as always, on top of our prices\n"
                "- **With your coupon:** what it says comes off the price",
                f"{NIN}，您好！\n\n一年一度的双11，不必熬夜，也不用做题。今天的好价，会员先享：\n\n"
                "- **全天：** 享优惠的同时，积分照常累积\n- **出示优惠券：** 折上再享优惠",
            ),
            COUPON,
            {"type": "products", "label": both("What members bought most lately", "会员近期最爱")},
            button("Look at my coupons", "查看我的优惠券", "coupons"),
        ),
    ),
    Ready(
        "new-arrivals",
        _("New arrivals"),
        _("For news from the shop."),
        message(
            both("Just in", "新品上架"),
            both("Fresh on our shelves this week.", "本周新品，请您先尝先看。"),
            both("New at {{ programme.name }} this week. Come and see!", "{{ programme.name }}本周上新，欢迎来看看！"),
            {"type": "heading", "text": both("New this week", "本周上新"), "size": "l"},
            text(
                f"Dear {HELLO},\n\nThere is something new on our shelves, and you are among the first to hear of it. Come"  # noqa: E501
                " by, try it, tell us what you think.",
                f"{NIN}，您好！\n\n店里来了新品，您是最先知道的人之一。欢迎来店试一试，也期待听到您的想法。",
            ),
            {"type": "products", "which": "own", "label": both("And this may be for you", "猜您喜欢")},
            button("See rewards, too", "顺便看看礼遇", "rewards"),
        ),
    ),
    Ready(
        "coupon-gift",
        _("A coupon as a gift"),
        _("To give a coupon, for no reason or any."),
        message(
            both("A little something for you", "送您一张优惠券"),
            both("Show the code when you pay.", "付款时出示券码即可使用。"),
            both(
                "{% if coupon.code != '' %}For you: {{ coupon.name }}, code {{ coupon.code }}{% else %}A gift waits for"
                " you at {{ programme.name }}{% endif %}",
                "{% if coupon.code != '' %}送您{{ coupon.name }}，券码{{ coupon.code }}"
                "{% else %}{{ programme.name }}有礼相赠{% endif %}",
            ),
            banner("✂", "accent", "A little something for you", "一点心意，请收下"),
            text(
                f"Dear {HELLO},\n\nThere need not always be a reason. This is yours; show it when you pay.",
                f"{NIN}，您好！\n\n送礼不一定需要理由。这张优惠券请您收下，付款时出示即可。",
            ),
            COUPON,
            button("See my coupons", "查看我的优惠券", "coupons"),
        ),
    ),
    Ready(
        "event",
        _("Invitation"),
        _("To an evening, a tasting, a workshop. Change day, hour and place."),
        message(
            both("You are invited", "诚邀您莅临"),
            both("An evening among members.", "会员专属活动，期待您的到来。"),
            both(
                "You are invited: an evening for members of {{ programme.name }}.",
                "{{ programme.name }}诚邀您参加会员活动。",
            ),
            banner("✧", "night", "You are invited", "诚邀您莅临"),
            text(
                f"Dear {HELLO},\n\nWe would like to spend an evening with you and a few other members.\n\n"
                "- **When:** Saturday, from 3 to 5 in the afternoon\n- **Where:** at our shop\n"
                "- **What:** a tasting, and time to talk\n\nPlaces are few. Answer this mail if you want to come.",
                f"{NIN}，您好！\n\n我们想邀请您和几位会员朋友，共度一段轻松时光。\n\n"
                "- **时间：** 周六下午3点至5点\n- **地点：** 本店\n- **内容：** 新品品鉴与交流\n\n"
                "名额有限，如您愿意参加，请直接回复本邮件。",
            ),
            button("See our address", "查看会员主页", "home"),
        ),
    ),
)
