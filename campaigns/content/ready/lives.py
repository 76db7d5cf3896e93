"""For moments of a membership: from the first day to coming back."""

from django.utils.translation import gettext_lazy as _

from campaigns.content.ready.shape import (
    CAN_HAVE,
    COUPON,
    GIFT,
    HELLO,
    NIN,
    POINTS,
    Ready,
    banner,
    both,
    button,
    message,
    only_if,
    text,
)

IF_COUPON, IF_GIFT = "{% if coupon.code != '' %}", "{% if coupon.code != '' or gift.points > 0 %}"
READY = (
    Ready(
        "welcome",
        _("Welcome"),
        _("For who has just joined."),
        message(
            both("Welcome to {{ programme.name }}", "欢迎加入{{ programme.name }}"),
            both("How to collect points, and what they are good for.", "如何积分，积分又能换什么，一封信说清楚。"),
            both(
                "Welcome to {{ programme.name }}! Your card: {{ programme.url }}",
                "欢迎加入{{ programme.name }}！您的会员卡：{{ programme.url }}",
            ),
            banner("✦", "accent", "Good to have you with us", "很高兴认识您"),
            text(
                f"Dear {HELLO},\n\nThank you for joining {{{{ programme.name }}}}. From today, every visit counts:\n\n"
                "1. **Show your card** when you pay. It is on your phone, number {{ member.card_number }}.\n"
                "2. **Collect points** with every purchase.\n3. **Choose a reward** whenever you have enough.",
                f"{NIN}，您好！\n\n感谢您加入{{{{ programme.name }}}}。从今天起，每次光临都有积累：\n\n"
                "1. 付款时**出示会员卡**，手机上就有，卡号{{ member.card_number }}。\n"
                "2. 每笔消费都**累积积分**。\n3. 积分足够时，随时**兑换礼遇**。",
            ),
            GIFT,
            button("Open my card", "打开我的会员卡", "card"),
            text("Any question? Just answer this mail.", "如有疑问，直接回复本邮件即可。"),
        ),
    ),
    Ready(
        "birthday",
        _("Birthday"),
        _("On the member's birthday, with a gift or without."),
        message(
            both(
                "Happy birthday{% if member.name != '' %}, {{ member.name }}{% endif %}!",
                "{% if member.name != '' %}{{ member.name }}，{% endif %}生日快乐！",
            ),
            both("All of us wish you a wonderful day.", "全体伙伴祝您度过美好的一天。"),
            both(
                "Happy birthday from {{ programme.name }}!"
                "{% if gift.points > 0 %} {{ gift.points }} points are on your card.{% endif %}",
                "{{ programme.name }}祝您生日快乐！{% if gift.points > 0 %}{{ gift.points }}积分已存入您的会员卡。{% endif %}",  # noqa: E501
            ),
            banner("❀", "rose", "Happy birthday!", "生日快乐！"),
            text(
                f"Dear {HELLO},\n\nAll of us at {{{{ programme.name }}}} wish you a very happy birthday, and a year full"  # noqa: E501
                " of good things.\n\n{% if gift.points > 0 %}This is our gift to you. It is on your card already.{% endif %}",  # noqa: E501
                f"{NIN}，您好！\n\n{{{{ programme.name }}}}全体伙伴祝您生日快乐，新的一岁平安喜乐、万事顺意。"
                "\n\n{% if gift.points > 0 %}这份小小的生日礼，已存入您的会员卡。{% endif %}",
            ),
            GIFT,
            button("See what it can be", "看看能换什么", "rewards"),
            text("We look forward to seeing you soon.", "期待与您早日相见。"),
        ),
    ),
    Ready(
        "anniversary",
        _("Anniversary of joining"),
        _("A year, or several, since somebody joined."),
        message(
            both(
                "{% if member.years == 1 %}A year{% else %}{{ member.years }} years{% endif %} with us: thank you",
                "与您相伴{{ member.years }}年，感谢有您",
            ),
            both("A word of thanks, on your anniversary.", "入会纪念日，想对您说声谢谢。"),
            both(
                "Thank you for {% if member.years == 1 %}a year{% else %}{{ member.years }} years{% endif %} with"
                " {{ programme.name }}!",
                "感谢您与{{ programme.name }}相伴{{ member.years }}年！",
            ),
            banner("♥", "rose", "Thank you for staying", "感谢一路相伴"),
            text(
                f"Dear {HELLO},\n\nOn {{{{ member.joined_on }}}} you joined {{{{ programme.name }}}}. Since then you have"  # noqa: E501
                " come back again and again, and that means more to us than we can put into a mail. Thank you.",
                f"{NIN}，您好！\n\n{{{{ member.joined_on }}}}，您加入了{{{{ programme.name }}}}。从那天起，"
                "您一次次的光临，是我们最珍视的肯定。谢谢您。",
            ),
            GIFT,
            POINTS,
            button("See your rewards", "查看可兑换的礼遇", "rewards"),
        ),
    ),
    Ready(
        "thanks",
        _("Thanks after a purchase"),
        _("The day after somebody bought."),
        message(
            both("Thank you for your visit", "感谢您的光临"),
            both("What your points have become.", "看看您的积分有何变化。"),
            both(
                "Thank you for your visit! You now have {{ points.balance }} points.",
                "感谢您的光临！您现有{{ points.balance }}积分。",
            ),
            {"type": "heading", "text": both("Thank you for your visit", "感谢您的光临"), "size": "l"},
            text(
                f"Dear {HELLO},\n\nIt was good to see you."
                "{% if award.points > 0 %} Your visit brought you **{{ award.points }}"
                " {% if award.points == 1 %}point{% else %}points{% endif %}**.{% endif %}",
                f"{NIN}，您好！\n\n很高兴见到您。{{% if award.points > 0 %}}这次光临为您带来**{{{{ award.points }}}}积分**。{{% endif %}}",  # noqa: E501
            ),
            POINTS,
            only_if(
                "rewards.count",
                "more",
                "0",
                text("**You can have one of these now:**", "**您现在就可以兑换：**"),
                CAN_HAVE,
            ),
            button("Choose a reward", "挑选礼遇", "rewards"),
            text(
                "Was anything not as it should be? Answer this mail; somebody reads it.",
                "如有任何不周之处，请直接回复本邮件，我们会认真阅读。",
            ),
        ),
    ),
    Ready(
        "points-expire",
        _("Points about to expire"),
        _("Some weeks before points are lost."),
        message(
            both(
                "{{ points.expiring }} points wait until {{ points.expires_on }}",
                "您有{{ points.expiring }}积分将于{{ points.expires_on }}到期",
            ),
            both("It would be a pity to lose them.", "别让积分白白过期。"),
            both(
                "{{ points.expiring }} of your points expire on {{ points.expires_on }}: {{ programme.url }}",
                "您有{{ points.expiring }}积分将于{{ points.expires_on }}到期，请尽快使用：{{ programme.url }}",
            ),
            banner("◔", "gold", "Your points want to be spent", "积分快到期了"),
            text(
                f"Dear {HELLO},\n\n**{{{{ points.expiring }}}} of your points** can be spent until"
                " **{{ points.expires_on }}**. After that day they are gone, and we would rather see you enjoy them.",
                f"{NIN}，您好！\n\n您有**{{{{ points.expiring }}}}积分**可使用至**{{{{ points.expires_on }}}}**。"
                "过期将自动失效，我们更希望您好好享用。",
            ),
            POINTS,
            only_if("rewards.count", "more", "0", text("**They suffice for:**", "**足够兑换：**"), CAN_HAVE),
            button("Spend my points", "使用积分", "rewards"),
        ),
    ),
    Ready(
        "points-last-days",
        _("Points about to expire: the last days"),
        _("A second word, some days before points are lost."),
        message(
            both(
                "The last days of {{ points.expiring }} points",
                "最后几天：您的{{ points.expiring }}积分即将到期",
            ),
            both("They end on {{ points.expires_on }}.", "有效期至{{ points.expires_on }}，别忘了使用。"),
            both(
                "The last days of {{ points.expiring }} points: they end on {{ points.expires_on }}."
                " {{ programme.url }}",
                "最后几天：您的{{ points.expiring }}积分{{ points.expires_on }}到期，请尽快使用：{{ programme.url }}",
            ),
            banner("◕", "red", "A few days are left", "仅剩最后几天"),
            text(
                f"Dear {HELLO},\n\n**{{{{ points.expiring }}}} points** are still on your card, and"
                " **{{ points.expires_on }}** is their last day. We will not remind you of them again.",
                f"{NIN}，您好！\n\n您还有**{{{{ points.expiring }}}}积分**没有使用，最后有效日是"
                "**{{ points.expires_on }}**。这是最后一次提醒，之后不再打扰。",
            ),
            only_if("rewards.count", "more", "0", text("**Enough for:**", "**足够兑换：**"), CAN_HAVE),
            button("Spend my points", "使用积分", "rewards"),
        ),
    ),
    Ready(
        "tier-reached",
        _("Tier reached"),
        _("Somebody has just reached a higher tier."),
        message(
            both("You are {{ tier.name }} now", "恭喜您晋升为{{ tier.name }}"),
            both("What is yours from today.", "从今天起，您享有这些礼遇。"),
            both(
                "Congratulations: you are {{ tier.name }} now! {{ programme.url }}",
                "恭喜您晋升为{{ tier.name }}！{{ programme.url }}",
            ),
            banner("★", "night", "Congratulations!", "恭喜晋级！"),
            text(
                f"Dear {HELLO},\n\nYou have reached **{{{{ tier.name }}}}**. Thank you for all the visits that brought"
                " you here.\n\n{% if benefits.left != '' %}Yours from today: {{ benefits.left }}.{% endif %}\n\n"
                "{% if tier.kept_until != '' %}You keep it until {{ tier.kept_until }}, and longer if you go on like"
                " this.{% endif %}",
                f"{NIN}，您好！\n\n您已晋升为**{{{{ tier.name }}}}**，感谢您一路以来的支持。"
                "\n\n{% if benefits.left != '' %}从今天起您享有：{{ benefits.left }}。{% endif %}\n\n"
                "{% if tier.kept_until != '' %}等级有效期至{{ tier.kept_until }}，继续光临即可延续。{% endif %}",
            ),
            button("See my benefits", "查看我的权益", "tier"),
        ),
    ),
    Ready(
        "tier-drop",
        _("Tier about to drop"),
        _("Some weeks before somebody would lose the tier."),
        message(
            both("Stay {{ tier.name }}: {{ tier.missing_to_keep }} to go", "保住{{ tier.name }}等级，还差一点点"),
            both("There is still time.", "现在还来得及。"),
            both(
                "{{ tier.missing_to_keep }} more keep you {{ tier.name }} after {{ tier.kept_until }}.",
                "再累积{{ tier.missing_to_keep }}，{{ tier.kept_until }}后仍可保留{{ tier.name }}等级。",
            ),
            banner("☆", "gold", "Stay {{ tier.name }}", "保住{{ tier.name }}等级"),
            text(
                f"Dear {HELLO},\n\nYou are {{{{ tier.name }}}} until **{{{{ tier.kept_until }}}}**. To stay so,"
                " **{{ tier.missing_to_keep }}** are still missing. One or two visits may be enough.",
                f"{NIN}，您好！\n\n您的{{{{ tier.name }}}}等级有效期至**{{{{ tier.kept_until }}}}**。"
                "再累积**{{ tier.missing_to_keep }}**即可保级，也许光临一两次就够了。",
            ),
            button("See where I stand", "查看我的进度", "tier"),
        ),
    ),
    Ready(
        "win-back-1",
        _("Win back 1: we miss you"),
        _("A while after the last visit. Shows the coupon that comes with it, if one does."),
        message(
            both("We have not seen you for a while", "好久不见，近来可好？"),
            both("What is new, and what your points can be.", "看看有什么新鲜事，您的积分又能换什么。"),
            both(
                "We miss you! {{ points.balance }} points wait for you at {{ programme.name }}.",
                "好久不见！您在{{ programme.name }}还有{{ points.balance }}积分等着您。",
            ),
            {"type": "heading", "text": both("We miss you", "我们想念您"), "size": "l"},
            text(
                f"Dear {HELLO},\n\nIt has been some time since your last visit. We hope you are well. Your points are"
                " still here, and so are we.",
                f"{NIN}，您好！\n\n距您上次光临已有一段时间，希望您一切都好。您的积分一直都在，我们也一直都在。",
            ),
            only_if(
                "coupon.code",
                "filled",
                "",
                text("This is for your next visit:", "这份心意，供您下次光临使用："),
                COUPON,
            ),
            POINTS,
            only_if("rewards.count", "more", "0", text("**Enough for:**", "**足够兑换：**"), CAN_HAVE),
            button("Look around", "随便看看", "rewards"),
        ),
    ),
    Ready(
        "win-back-2",
        _("Win back 2: a coupon"),
        _("Some weeks later, with a coupon."),
        message(
            both(
                f"{IF_COUPON}Something to come back for{{% else %}}Will we see you again?{{% endif %}}",
                f"{IF_COUPON}回来看看，有礼相待{{% else %}}期待再次见到您{{% endif %}}",
            ),
            both(
                f"{IF_COUPON}A coupon, only for you.{{% else %}}There is something new to see.{{% endif %}}",
                f"{IF_COUPON}专属于您的优惠券。{{% else %}}店里有新鲜事，等您回来看看。{{% endif %}}",
            ),
            both(
                "{% if coupon.code != '' %}{{ coupon.name }} for you, code {{ coupon.code }}."
                "{% else %}We would love to see you again.{% endif %}",
                "{% if coupon.code != '' %}为您准备了{{ coupon.name }}，券码{{ coupon.code }}。"
                "{% else %}期待再次见到您。{% endif %}",
            ),
            banner("❦", "green", "Come back, and enjoy", "欢迎回来"),
            text(
                f"Dear {HELLO},\n\nWe would love to see you again.{IF_COUPON} So here is something that makes it easier"
                ": show the code when you pay, and it is yours.{% else %} Come by, and see what is new.{% endif %}",
                f"{NIN}，您好！\n\n我们非常期待再次见到您{IF_COUPON}，特别为您备下一份心意：付款时出示券码即可使用。"
                "{% else %}。店里有不少新鲜事，欢迎回来看看。{% endif %}",
            ),
            COUPON,
            button("See my coupons", "查看我的优惠券", "coupons"),
        ),
    ),
    Ready(
        "win-back-3",
        _("Win back 3: the last try"),
        _("The last word, with a gift. After that we stay quiet."),
        message(
            both(
                f"{IF_GIFT}One last gift from us{{% else %}}We will be quiet now{{% endif %}}",
                f"{IF_GIFT}最后一份心意{{% else %}}暂时向您道别{{% endif %}}",
            ),
            both("And then we will not write for a while.", "之后我们会安静一阵子，不再打扰。"),
            both(
                "{% if coupon.code != '' %}{{ coupon.name }} for you, code {{ coupon.code }}."
                "{% elsif gift.points > 0 %}{{ gift.points }} points are yours, until {{ gift.expires_on }}."
                "{% else %}We hope to see you again.{% endif %}",
                "{% if coupon.code != '' %}为您准备了{{ coupon.name }}，券码{{ coupon.code }}。"
                "{% elsif gift.points > 0 %}送您{{ gift.points }}积分，有效期至{{ gift.expires_on }}。"
                "{% else %}期待再次见到您。{% endif %}",
            ),
            banner("✉", "blue", "A word, and a promise", "最后的话，和一个承诺"),
            text(
                f"Dear {HELLO},\n\nWe have written to you before and do not want to be a nuisance.{IF_GIFT} This is our"
                " last gift for now.{% endif %} If we do not hear from you, we will be quiet; your points and your card"
                " stay as they are.",
                f"{NIN}，您好！\n\n此前我们已给您写过信，不想再打扰您。{IF_GIFT}这是目前最后一份心意。{{% endif %}}"
                "如果暂时没有您的消息，我们会保持安静；您的积分和会员卡始终为您保留。",
            ),
            GIFT,
            COUPON,
            button("Come and see us", "期待您的光临", "home"),
        ),
    ),
)
