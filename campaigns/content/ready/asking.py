"""For surveys: the question stands in the mail, and a click is the first half of the answer."""

from django.utils.translation import gettext_lazy as _

from campaigns.content.ready.shape import HELLO, NIN, Ready, both, message, text

QUESTION = {"type": "survey_question"}
READY = (
    Ready(
        "survey",
        _("Invitation to a survey"),
        _("Asks the first question in the mail itself; sent to whoever a survey invites."),
        message(
            both("How are we doing? One question for you", "您对我们还满意吗？想听您一句话"),
            both("It takes a minute, and we read every answer.", "只需一分钟，每一条回答我们都会看。"),
            both(
                "{{ programme.name }}: one question for you: {{ survey.url }}",
                "{{ programme.name }}想听听您的意见：{{ survey.url }}",
            ),
            text(
                f"Dear {HELLO},\n\nYou know us best. Would you tell us what we do well, and what we should do better?",
                f"{NIN}，您好！\n\n我们做得怎么样，您最清楚。哪里满意、哪里还要改进，能跟我们说说吗？",
            ),
            QUESTION,
            text(
                "A click opens the page with your choice. Nothing is sent before you send it there.",
                "点击后会打开页面并带上您的选择，在页面上确认后才会提交。",
            ),
        ),
    ),
    Ready(
        "survey_visit",
        _("After a visit: how was it?"),
        _("For surveys that ask about a purchase or a reward, some hours later."),
        message(
            both("How was your visit?", "这次光临，您还满意吗？"),
            both("Tell us while it is fresh.", "趁记忆还新，说说您的感受。"),
            both(
                "{{ programme.name }}: how was your visit? {{ survey.url }}",
                "{{ programme.name }}：这次光临还满意吗？{{ survey.url }}",
            ),
            text(
                f"Dear {HELLO},\n\nThank you for coming by. How was it?",
                f"{NIN}，您好！\n\n感谢您的光临。这次体验如何？",
            ),
            QUESTION,
            text(
                "If something went wrong, write it there: somebody who can put it right will read it.",
                "若有不周之处，请写下来，能为您解决问题的同事会亲自查看。",
            ),
        ),
    ),
)
