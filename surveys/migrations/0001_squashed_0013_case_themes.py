"""All tables of the room at once: what a new database begins with, in place of the steps that it names."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import surveys.models.place
import surveys.wording
import uuid
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


CATEGORIES = (
    ("Product", "产品"),
    ("Price", "价格"),
    ("Service", "服务"),
    ("Waiting time", "等待时间"),
    ("Delivery", "配送"),
    ("Points and account", "积分与账户"),
    ("Other", "其他"),
)


def take_defaults(apps, schema_editor):
    """Where a shop begins: what cases are about, and whoever is unhappy in a survey has one."""
    category = apps.get_model("surveys", "Category")
    for place, (name, zh) in enumerate(CATEGORIES):
        category.objects.create(name=name, name_en=name, name_zh_hans=zh, position=place)
    apps.get_model("surveys", "CaseRule").objects.create(severity="normal")


class Migration(migrations.Migration):

    replaces = [('surveys', '0001_surveys'), ('surveys', '0002_reaching'), ('surveys', '0003_pictures'), ('surveys', '0004_cases'), ('surveys', '0005_caserule_since'), ('surveys', '0006_shared_report'), ('surveys', '0007_quota_who'), ('surveys', '0008_themes'), ('surveys', '0009_restrict_uploads'), ('surveys', '0010_case_files'), ('surveys', '0011_case_routing'), ('surveys', '0012_answers_kept'), ('surveys', '0013_case_themes')]

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('members', '0001_squashed_0021_app_channel'),
        ('rewards', '0001_squashed_0021_issued_by_referral'),
    ]

    operations = [
        migrations.CreateModel(
            name='CannedReply',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, verbose_name='name in the office')),
                ('text', models.TextField(max_length=4000, verbose_name='text')),
                ('text_en', models.TextField(max_length=4000, null=True, verbose_name='text')),
                ('text_zh_hans', models.TextField(max_length=4000, null=True, verbose_name='text')),
                ('archived_at', models.DateTimeField(blank=True, null=True, verbose_name='archived')),
            ],
            options={
                'verbose_name': 'canned reply',
                'verbose_name_plural': 'canned replies',
                'ordering': ['name', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Holiday',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(unique=True, verbose_name='day')),
                ('name', models.CharField(blank=True, max_length=80, verbose_name='name')),
            ],
            options={
                'verbose_name': 'holiday',
                'verbose_name_plural': 'holidays',
                'ordering': ['day'],
            },
        ),
        migrations.CreateModel(
            name='RootCause',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('name_en', models.CharField(max_length=120, null=True, verbose_name='name')),
                ('name_zh_hans', models.CharField(max_length=120, null=True, verbose_name='name')),
                ('archived_at', models.DateTimeField(blank=True, null=True, verbose_name='archived')),
            ],
            options={
                'verbose_name': 'cause',
                'verbose_name_plural': 'causes',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='AskingRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('days', models.PositiveSmallIntegerField(default=14, help_text='Of any two surveys. 0: each survey looks only at its own.', validators=[django.core.validators.MaxValueValidator(365)], verbose_name='days between two invitations')),
            ],
            options={
                'verbose_name': 'rule of asking',
                'verbose_name_plural': 'rule of asking',
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='surveys_askingrule_single')],
            },
        ),
        migrations.CreateModel(
            name='CareTarget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('severity', models.CharField(choices=[('low', 'Low'), ('normal', 'Normal'), ('high', 'High'), ('urgent', 'Urgent')], max_length=10, unique=True, verbose_name='severity')),
                ('answer_minutes', models.PositiveIntegerField(verbose_name='first answer within (minutes)')),
                ('resolve_minutes', models.PositiveIntegerField(verbose_name='put right within (minutes)')),
            ],
            options={
                'verbose_name': 'time to answer',
                'verbose_name_plural': 'times to answer',
                'constraints': [models.CheckConstraint(condition=models.Q(('answer_minutes__gt', 0), ('resolve_minutes__gte', models.F('answer_minutes'))), name='surveys_caretarget_order')],
            },
        ),
        migrations.CreateModel(
            name='Category',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, verbose_name='name')),
                ('name_en', models.CharField(max_length=80, null=True, verbose_name='name')),
                ('name_zh_hans', models.CharField(max_length=80, null=True, verbose_name='name')),
                ('position', models.PositiveSmallIntegerField(default=0, verbose_name='position')),
                ('owner', models.ForeignKey(blank=True, limit_choices_to={'is_active': True, 'is_staff': True}, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='lands with')),
                ('archived_at', models.DateTimeField(blank=True, null=True, verbose_name='archived')),
            ],
            options={
                'verbose_name': 'category of cases',
                'verbose_name_plural': 'categories of cases',
                'ordering': ['position', 'id'],
            },
        ),
        migrations.CreateModel(
            name='OpeningHours',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('weekday', models.PositiveSmallIntegerField(choices=[(0, 'Monday'), (1, 'Tuesday'), (2, 'Wednesday'), (3, 'Thursday'), (4, 'Friday'), (5, 'Saturday'), (6, 'Sunday')], verbose_name='day')),
                ('opens', models.TimeField(verbose_name='opens')),
                ('closes', models.TimeField(help_text='00:00 is the end of the day.', verbose_name='closes')),
            ],
            options={
                'verbose_name': 'business hours',
                'verbose_name_plural': 'business hours',
                'ordering': ['weekday', 'opens'],
                'constraints': [models.CheckConstraint(condition=models.Q(('closes__gt', models.F('opens')), ('closes', '00:00'), _connector='OR'), name='surveys_openinghours_order')],
            },
        ),
        migrations.CreateModel(
            name='RemedyLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='remedy_limit', to='auth.group', verbose_name='role')),
                ('points', models.PositiveIntegerField(verbose_name='points for one case')),
                ('coupons', models.PositiveSmallIntegerField(verbose_name='coupons for one case')),
            ],
            options={
                'verbose_name': 'limit of remedies',
                'verbose_name_plural': 'limits of remedies',
            },
        ),
        migrations.CreateModel(
            name='Survey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('code', models.CharField(max_length=20, unique=True, verbose_name='public address')),
                ('name', models.CharField(max_length=120, verbose_name='name in the office')),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('open', 'Open'), ('paused', 'Paused'), ('closed', 'Closed'), ('archived', 'Archived')], default='draft', max_length=10, verbose_name='state')),
                ('anonymous', models.BooleanField(default=False, help_text='Answers cannot be joined to whoever gave them, by anyone.', verbose_name='anonymous')),
                ('languages', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('en', 'English'), ('zh-hans', 'Simplified Chinese')], max_length=10), default=list, size=None, verbose_name='languages')),
                ('draft', models.JSONField(default=dict, verbose_name='definition')),
                ('number', models.PositiveIntegerField(default=0, verbose_name='version')),
                ('ways', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('link', 'Personal link'), ('portal', 'Portal'), ('public', 'Public link'), ('kiosk', 'Tablet on the counter'), ('paper', 'On paper'), ('api', 'Another system')], max_length=10), default=list, size=None, verbose_name='ways to answer')),
                ('opens_at', models.DateTimeField(blank=True, null=True, verbose_name='opens')),
                ('closes_at', models.DateTimeField(blank=True, null=True, verbose_name='closes')),
                ('response_limit', models.PositiveIntegerField(blank=True, null=True, verbose_name='at most so many answers')),
                ('taken', models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='answers')),
                ('ask_every_days', models.PositiveSmallIntegerField(default=90, help_text='Nobody is asked this survey again before.', verbose_name='days between two invitations')),
                ('thanks_points', models.PositiveIntegerField(default=0, help_text='Given once, whatever is answered.', verbose_name='points as thanks')),
                ('thanks_days', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='days until they expire')),
                ('smallest_group', models.PositiveSmallIntegerField(default=5, help_text='Reports of anonymous surveys show no smaller group.', verbose_name='smallest group shown')),
                ('created_at', models.DateTimeField(verbose_name='made')),
                ('changed_at', models.DateTimeField(verbose_name='changed')),
            ],
            options={
                'verbose_name': 'survey',
                'verbose_name_plural': 'surveys',
                'constraints': [models.CheckConstraint(condition=models.Q(('response_limit', None), ('taken__lte', models.F('response_limit')), _connector='OR'), name='surveys_survey_limit'), models.CheckConstraint(condition=models.Q(('state', 'draft'), ('number__gte', 1), _connector='OR'), name='surveys_survey_published'), models.CheckConstraint(condition=models.Q(('opens_at', None), ('closes_at', None), ('closes_at__gt', models.F('opens_at')), _connector='OR'), name='surveys_survey_closes')],
            },
        ),
        migrations.CreateModel(
            name='Theme',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, verbose_name='name')),
                ('name_en', models.CharField(max_length=60, null=True, verbose_name='name')),
                ('name_zh_hans', models.CharField(max_length=60, null=True, verbose_name='name')),
                ('terms', models.TextField(help_text='Words and phrases in both languages, one in each line. English ones are found as whole words, in the singular and plural; write the singular. A star at the end finds all that begins so: clean*. Chinese ones are found wherever they stand.', validators=[surveys.wording.check_terms], verbose_name='words')),
                ('ready', models.CharField(blank=True, default='', editable=False, max_length=20)),
                ('changed_at', models.DateTimeField(editable=False, verbose_name='changed')),
                ('settled', models.BooleanField(default=False, editable=False)),
            ],
            options={
                'verbose_name': 'theme',
                'verbose_name_plural': 'themes',
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(models.F('ready'), condition=models.Q(('ready', ''), _negated=True), name='surveys_theme_ready')],
            },
        ),
        migrations.CreateModel(
            name='CareSettings',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('remind_minutes', models.PositiveIntegerField(default=60, help_text='In business hours.', verbose_name='remind so many minutes before')),
                ('escalate_to', models.ForeignKey(blank=True, help_text='Empty: all managers.', limit_choices_to={'is_active': True, 'is_staff': True}, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='late cases go to')),
                ('close_after_days', models.PositiveSmallIntegerField(default=7, help_text='Unless the member writes again.', verbose_name='close so many days after it was put right')),
                ('on_duty', models.ManyToManyField(blank=True, help_text='Whoever of them has the fewest open cases, where neither a rule nor the category says with whom.', limit_choices_to={'is_active': True, 'is_staff': True}, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='new cases land with')),
            ],
            options={
                'verbose_name': 'settings of cases',
                'verbose_name_plural': 'settings of cases',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='surveys_caresettings_one')],
            },
        ),
        migrations.CreateModel(
            name='ImprovementAction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('title', models.CharField(max_length=200, verbose_name='what will be changed')),
                ('details', models.TextField(blank=True, max_length=4000, verbose_name='details')),
                ('cause', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='actions', to='surveys.rootcause', verbose_name='cause it does away with')),
                ('assignee', models.ForeignKey(blank=True, limit_choices_to={'is_active': True, 'is_staff': True}, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='improvements', to=settings.AUTH_USER_MODEL, verbose_name='who')),
                ('due_on', models.DateField(blank=True, null=True, verbose_name='until')),
                ('state', models.CharField(choices=[('planned', 'Planned'), ('doing', 'Being done'), ('done', 'Done'), ('dropped', 'Dropped')], default='planned', max_length=10, verbose_name='state')),
                ('check_days', models.PositiveSmallIntegerField(default=56, help_text='As many days before are compared.', verbose_name='look at the effect after so many days')),
                ('created_at', models.DateTimeField(verbose_name='since')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('done_at', models.DateTimeField(blank=True, null=True, verbose_name='done')),
                ('effect', models.CharField(blank=True, choices=[('worked', 'It helped'), ('unclear', 'Cannot be told yet'), ('failed', 'The cause came back')], db_default='', max_length=10, verbose_name='effect')),
                ('found', models.JSONField(blank=True, db_default={}, default=dict, verbose_name='figures')),
                ('checked_at', models.DateTimeField(blank=True, null=True, verbose_name='looked at')),
            ],
            options={
                'verbose_name': 'improvement',
                'verbose_name_plural': 'improvements',
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('done_at__isnull', False), ('state', 'done')), models.Q(models.Q(('state', 'done'), _negated=True), ('done_at', None)), _connector='OR'), name='surveys_action_done'), models.CheckConstraint(condition=models.Q(('check_days__gte', 7), ('check_days__lte', 365)), name='surveys_action_days')],
            },
        ),
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('survey', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='invitations', to='surveys.survey', verbose_name='survey')),
                ('member', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='invitations', to='members.member', verbose_name='member')),
                ('key', models.CharField(max_length=100, verbose_name='asked for')),
                ('state', models.CharField(choices=[('open', 'Not answered'), ('started', 'Begun'), ('answered', 'Answered'), ('declined', 'Does not want to')], default='open', max_length=10, verbose_name='state')),
                ('purchase', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.purchase', verbose_name='purchase')),
                ('created_at', models.DateTimeField(verbose_name='asked')),
                ('expires_at', models.DateTimeField(blank=True, null=True, verbose_name='expires')),
                ('answered_on', models.DateField(blank=True, null=True, verbose_name='answered')),
            ],
            options={
                'verbose_name': 'invitation',
                'verbose_name_plural': 'invitations',
                'indexes': [models.Index(fields=['member', '-created_at'], name='surveys_invitation_member'), models.Index(fields=['survey', 'state'], name='surveys_invitation_state')],
                'constraints': [models.UniqueConstraint(models.F('survey'), models.F('member'), models.F('key'), name='surveys_invitation_key'), models.CheckConstraint(condition=models.Q(models.Q(('answered_on__isnull', False), ('state', 'answered')), models.Q(models.Q(('state', 'answered'), _negated=True), ('answered_on', None)), _connector='OR'), name='surveys_invitation_answered')],
            },
        ),
        migrations.CreateModel(
            name='SharedReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('survey', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='shared', to='surveys.survey', verbose_name='survey')),
                ('title', models.CharField(max_length=120, verbose_name='title')),
                ('chosen', models.JSONField(default=dict, verbose_name='part')),
                ('verbatims', models.BooleanField(default=False, verbose_name='with what people wrote')),
                ('created_at', models.DateTimeField(verbose_name='made')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='made by')),
                ('expires_at', models.DateTimeField(verbose_name='expires')),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True, verbose_name='withdrawn')),
                ('withdrawn_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='withdrawn by')),
                ('opened', models.PositiveIntegerField(db_default=0, default=0, verbose_name='opened')),
                ('opened_at', models.DateTimeField(blank=True, null=True, verbose_name='last opened')),
            ],
            options={
                'verbose_name': 'link to a report',
                'verbose_name_plural': 'links to reports',
                'constraints': [models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('created_at'))), name='surveys_sharedreport_expires')],
            },
        ),
        migrations.CreateModel(
            name='Quota',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('survey', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='quotas', to='surveys.survey', verbose_name='survey')),
                ('name', models.CharField(max_length=80, verbose_name='name')),
                ('condition', models.JSONField(blank=True, null=True, verbose_name='condition')),
                ('who', models.JSONField(blank=True, null=True, verbose_name='of members')),
                ('most', models.PositiveIntegerField(verbose_name='at most so many answers')),
                ('taken', models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='answers')),
            ],
            options={
                'verbose_name': 'quota',
                'verbose_name_plural': 'quotas',
                'constraints': [models.CheckConstraint(condition=models.Q(('taken__lte', models.F('most'))), name='surveys_quota_kept')],
            },
        ),
        migrations.CreateModel(
            name='CaseRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('survey', models.ForeignKey(blank=True, help_text='Empty: every survey.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='case_rules', to='surveys.survey', verbose_name='survey')),
                ('question', models.CharField(blank=True, help_text='Its key, as “q1”.', max_length=20, verbose_name='question')),
                ('at_most', models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True, verbose_name='at most')),
                ('severity', models.CharField(choices=[('low', 'Low'), ('normal', 'Normal'), ('high', 'High'), ('urgent', 'Urgent')], default='normal', max_length=10, verbose_name='severity')),
                ('category', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='surveys.category', verbose_name='category')),
                ('owner', models.ForeignKey(blank=True, limit_choices_to={'is_active': True, 'is_staff': True}, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='lands with')),
                ('active', models.BooleanField(default=True, verbose_name='active')),
                ('since', models.DateTimeField(blank=True, help_text='Empty: also those that were given before.', null=True, verbose_name='for answers since')),
            ],
            options={
                'verbose_name': 'rule for cases',
                'verbose_name_plural': 'rules for cases',
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('at_most', None), ('question', '')), models.Q(models.Q(('question', ''), _negated=True), ('at_most__isnull', False), ('survey__isnull', False)), _connector='OR'), name='surveys_caserule_question')],
            },
        ),
        migrations.CreateModel(
            name='SurveyPicture',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('survey', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='pictures', to='surveys.survey', verbose_name='survey')),
                ('picture', models.FileField(upload_to='surveys/', verbose_name='picture')),
                ('width', models.PositiveIntegerField(editable=False)),
                ('height', models.PositiveIntegerField(editable=False)),
                ('created_at', models.DateTimeField(verbose_name='added')),
            ],
            options={
                'verbose_name': 'picture of a survey',
                'verbose_name_plural': 'pictures of surveys',
            },
        ),
        migrations.CreateModel(
            name='SurveyPlace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('survey', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='places', to='surveys.survey', verbose_name='survey')),
                ('kind', models.CharField(choices=[('poster', 'QR code to hang up'), ('tablet', 'Tablet on the counter')], max_length=10, verbose_name='kind')),
                ('token', models.CharField(default=surveys.models.place.new_token, editable=False, max_length=20, unique=True)),
                ('store', models.CharField(blank=True, max_length=80, verbose_name='store')),
                ('table', models.CharField(blank=True, max_length=40, verbose_name='table or corner')),
                ('idle_seconds', models.PositiveSmallIntegerField(default=60, help_text='Tablets: when nobody touched it for so long.', validators=[django.core.validators.MinValueValidator(15), django.core.validators.MaxValueValidator(600)], verbose_name='begins anew after seconds')),
                ('created_at', models.DateTimeField(verbose_name='made')),
                ('revoked_at', models.DateTimeField(blank=True, null=True, verbose_name='taken back')),
            ],
            options={
                'verbose_name': 'place of a survey',
                'verbose_name_plural': 'places of surveys',
            },
        ),
        migrations.CreateModel(
            name='SurveyTrigger',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('survey', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='triggers', to='surveys.survey', verbose_name='survey')),
                ('event', models.CharField(choices=[('purchase', 'A purchase'), ('redemption', 'A reward redeemed'), ('tier', 'A change of tier'), ('case', 'A case closed'), ('custom', 'An event that another system tells'), ('schedule', 'Every so many days')], max_length=20, verbose_name='when')),
                ('active', models.BooleanField(default=True, verbose_name='active')),
                ('name', models.CharField(blank=True, help_text='As the other system calls it.', max_length=60, verbose_name='name of the event')),
                ('store', models.CharField(blank=True, max_length=80, verbose_name='only in the store')),
                ('least_minor', models.PositiveBigIntegerField(blank=True, null=True, verbose_name='least amount')),
                ('after_hours', models.PositiveSmallIntegerField(default=2, validators=[django.core.validators.MaxValueValidator(1440)], verbose_name='hours later')),
                ('share', models.DecimalField(decimal_places=2, default=100, max_digits=5, validators=[django.core.validators.MinValueValidator(Decimal('0.01')), django.core.validators.MaxValueValidator(100)], verbose_name='share (%)')),
                ('cooldown_days', models.PositiveSmallIntegerField(default=30, help_text='The same member by this trigger.', verbose_name='not again for days')),
                ('segment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.segment', verbose_name='only in the group')),
                ('every_days', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='every so many days')),
                ('days_open', models.PositiveSmallIntegerField(default=30, validators=[django.core.validators.MinValueValidator(1)], verbose_name='days to answer')),
                ('next_at', models.DateTimeField(blank=True, null=True, verbose_name='next time')),
            ],
            options={
                'verbose_name': 'trigger of a survey',
                'verbose_name_plural': 'triggers of surveys',
                'indexes': [models.Index(fields=['survey', 'event'], name='surveys_trigger_survey')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('event', 'schedule'), ('every_days__gte', 1), ('next_at__isnull', False)), models.Q(('event', 'schedule'), _negated=True), _connector='OR'), name='surveys_surveytrigger_schedule'), models.CheckConstraint(condition=models.Q(('share__gt', 0), ('share__lte', 100)), name='surveys_surveytrigger_share')],
            },
        ),
        migrations.CreateModel(
            name='SurveyVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('survey', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='surveys.survey', verbose_name='survey')),
                ('number', models.PositiveIntegerField(verbose_name='version')),
                ('definition', models.JSONField(verbose_name='definition')),
                ('at', models.DateTimeField(verbose_name='since')),
                ('actor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
            ],
            options={
                'verbose_name': 'version of a survey',
                'verbose_name_plural': 'versions of surveys',
                'constraints': [models.UniqueConstraint(models.F('survey'), models.F('number'), name='surveys_surveyversion_number')],
            },
        ),
        migrations.CreateModel(
            name='Wave',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('survey', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='waves', to='surveys.survey', verbose_name='survey')),
                ('number', models.PositiveIntegerField(verbose_name='wave')),
                ('segment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.segment', verbose_name='segment')),
                ('share', models.DecimalField(decimal_places=2, default=100, max_digits=5, validators=[django.core.validators.MinValueValidator(Decimal('0.01')), django.core.validators.MaxValueValidator(100)], verbose_name='share (%)')),
                ('days_open', models.PositiveSmallIntegerField(default=30, verbose_name='days to answer')),
                ('due_at', models.DateTimeField(verbose_name='begins')),
                ('done_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='done')),
                ('considered', models.PositiveIntegerField(default=0, editable=False, verbose_name='members in question')),
                ('rested', models.PositiveIntegerField(default=0, editable=False, verbose_name='asked too lately')),
                ('invited', models.PositiveIntegerField(default=0, editable=False, verbose_name='invited')),
            ],
            options={
                'verbose_name': 'wave',
                'verbose_name_plural': 'waves',
                'indexes': [models.Index(condition=models.Q(('done_at', None)), fields=['due_at'], name='surveys_wave_due')],
                'constraints': [models.UniqueConstraint(models.F('survey'), models.F('number'), name='surveys_wave_number'), models.CheckConstraint(condition=models.Q(('share__gt', 0), ('share__lte', 100)), name='surveys_wave_share')],
            },
        ),
        migrations.CreateModel(
            name='Response',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('survey', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='responses', to='surveys.survey', verbose_name='survey')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='surveys.surveyversion', verbose_name='version')),
                ('invitation', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='response', to='surveys.invitation', verbose_name='invitation')),
                ('member', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='survey_responses', to='members.member', verbose_name='member')),
                ('key', models.CharField(blank=True, default='', max_length=120, verbose_name='key')),
                ('way', models.CharField(choices=[('link', 'Personal link'), ('portal', 'Portal'), ('public', 'Public link'), ('kiosk', 'Tablet on the counter'), ('paper', 'On paper'), ('api', 'Another system')], max_length=10, verbose_name='way')),
                ('language', models.CharField(max_length=10, verbose_name='language')),
                ('state', models.CharField(choices=[('started', 'Not finished'), ('complete', 'Complete'), ('over_quota', 'Quota was full'), ('void', 'Does not count')], default='started', max_length=10, verbose_name='state')),
                ('fits', django.contrib.postgres.fields.ArrayField(base_field=models.BooleanField(), default=list, editable=False, size=None)),
                ('traits', models.JSONField(blank=True, db_default={}, default=dict, verbose_name='who')),
                ('purchase', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.purchase', verbose_name='purchase')),
                ('started_at', models.DateTimeField(verbose_name='begun')),
                ('changed_at', models.DateTimeField(verbose_name='last answer')),
                ('completed_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('mixed_at', models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                'verbose_name': 'response',
                'verbose_name_plural': 'responses',
                'indexes': [models.Index(condition=models.Q(('state', 'complete')), fields=['survey', 'completed_at'], name='surveys_response_done'), models.Index(fields=['survey', 'state', '-changed_at'], name='surveys_response_state'), models.Index(condition=models.Q(('member__isnull', False)), fields=['member', '-completed_at'], name='surveys_response_member')],
                'constraints': [models.UniqueConstraint(models.F('survey'), models.F('key'), condition=models.Q(('key', ''), _negated=True), name='surveys_response_key'), models.CheckConstraint(condition=models.Q(models.Q(('completed_at', None), ('state', 'started')), models.Q(models.Q(('state', 'started'), _negated=True), ('completed_at__isnull', False)), _connector='OR'), name='surveys_response_finished')],
            },
        ),
        migrations.CreateModel(
            name='DueInvitation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('trigger', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='due', to='surveys.surveytrigger')),
                ('member', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.member')),
                ('key', models.CharField(max_length=100)),
                ('purchase', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='members.purchase')),
                ('due_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'invitation to come',
                'verbose_name_plural': 'invitations to come',
                'indexes': [models.Index(fields=['due_at'], name='surveys_dueinvitation_due')],
                'constraints': [models.UniqueConstraint(models.F('trigger'), models.F('member'), models.F('key'), name='surveys_dueinvitation_key')],
            },
        ),
        migrations.CreateModel(
            name='Case',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('key', models.CharField(blank=True, editable=False, max_length=120, null=True, unique=True, verbose_name='key')),
                ('kind', models.CharField(choices=[('complaint', 'Complaint'), ('suggestion', 'Suggestion'), ('question', 'Question'), ('praise', 'Praise')], max_length=12, verbose_name='kind')),
                ('subject', models.CharField(max_length=200, verbose_name='subject')),
                ('category', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='surveys.category', verbose_name='category')),
                ('cause', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='surveys.rootcause', verbose_name='cause')),
                ('severity', models.CharField(choices=[('low', 'Low'), ('normal', 'Normal'), ('high', 'High'), ('urgent', 'Urgent')], default='normal', max_length=10, verbose_name='severity')),
                ('state', models.CharField(choices=[('new', 'New'), ('open', 'In progress'), ('waiting', 'Waiting for the member'), ('resolved', 'Put right'), ('closed', 'Closed'), ('merged', 'Merged')], default='new', max_length=10, verbose_name='state')),
                ('source', models.CharField(choices=[('survey', 'Survey'), ('portal', 'Portal'), ('mail', 'E-mail'), ('till', 'Till'), ('staff', 'Staff'), ('api', 'Another system')], max_length=10, verbose_name='source')),
                ('owner', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='cases', to=settings.AUTH_USER_MODEL, verbose_name='owner')),
                ('member', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='members.member', verbose_name='member')),
                ('contact', models.EmailField(blank=True, max_length=254, verbose_name='e-mail of who is no member')),
                ('purchase', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='members.purchase', verbose_name='purchase')),
                ('response', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='case', to='surveys.response', verbose_name='answers')),
                ('store', models.CharField(blank=True, db_default='', max_length=80, verbose_name='store')),
                ('score', models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True, verbose_name='score')),
                ('question', models.CharField(blank=True, db_default='', editable=False, max_length=20)),
                ('score_kind', models.CharField(blank=True, db_default='', editable=False, max_length=10)),
                ('themes', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), blank=True, editable=False, null=True, size=None)),
                ('merged_into', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='merged', to='surveys.case', verbose_name='merged into')),
                ('owner_untold', models.BooleanField(db_default=False, default=False, editable=False)),
                ('opened_at', models.DateTimeField(verbose_name='opened')),
                ('answer_due_at', models.DateTimeField(verbose_name='first answer due')),
                ('resolve_due_at', models.DateTimeField(verbose_name='to be put right by')),
                ('remind_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('escalated_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='was late')),
                ('waiting_since', models.DateTimeField(blank=True, null=True, verbose_name='waiting since')),
                ('answered_at', models.DateTimeField(blank=True, null=True, verbose_name='first answered')),
                ('answer_minutes', models.PositiveIntegerField(blank=True, null=True, verbose_name='business minutes to the first answer')),
                ('resolved_at', models.DateTimeField(blank=True, null=True, verbose_name='put right')),
                ('resolve_minutes', models.PositiveIntegerField(blank=True, null=True, verbose_name='business minutes until put right')),
                ('closed_at', models.DateTimeField(blank=True, null=True, verbose_name='closed')),
                ('reopened', models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name='times opened again')),
                ('changed_at', models.DateTimeField(verbose_name='last change')),
                ('version', models.PositiveIntegerField(db_default=1, default=1, editable=False)),
                ('actions', models.ManyToManyField(blank=True, related_name='cases', to='surveys.improvementaction', verbose_name='improvements')),
            ],
            options={
                'verbose_name': 'case',
                'verbose_name_plural': 'cases',
                'indexes': [models.Index(fields=['state', '-opened_at'], name='surveys_case_state'), models.Index(condition=models.Q(('owner__isnull', False)), fields=['owner', 'state'], name='surveys_case_owner'), models.Index(condition=models.Q(('member__isnull', False)), fields=['member', '-opened_at'], name='surveys_case_member'), models.Index(condition=models.Q(('remind_at__isnull', False)), fields=['remind_at'], name='surveys_case_remind'), models.Index(condition=models.Q(('state__in', ['new', 'open'])), fields=['resolve_due_at'], name='surveys_case_due'), models.Index(condition=models.Q(('owner_untold', True)), fields=['id'], name='surveys_case_untold'), models.Index(condition=models.Q(('themes', None)), fields=['id'], name='surveys_case_unread'), models.Index(fields=['opened_at'], name='surveys_case_opened')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('answer_minutes', None), ('answered_at', None)), models.Q(('answer_minutes__isnull', False), ('answered_at__isnull', False)), _connector='OR'), name='surveys_case_answered'), models.CheckConstraint(condition=models.Q(models.Q(('resolve_minutes__isnull', False), ('resolved_at__isnull', False), ('state__in', ['resolved', 'closed'])), models.Q(('resolve_minutes', None), ('resolved_at', None), ('state__in', ['new', 'open', 'waiting'])), ('state', 'merged'), _connector='OR'), name='surveys_case_resolved'), models.CheckConstraint(condition=models.Q(models.Q(('merged_into__isnull', False), ('state', 'merged')), models.Q(models.Q(('state', 'merged'), _negated=True), ('merged_into', None)), _connector='OR'), name='surveys_case_merged'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'waiting'), ('waiting_since__isnull', False)), models.Q(models.Q(('state', 'waiting'), _negated=True), ('waiting_since', None)), _connector='OR'), name='surveys_case_waiting')],
            },
        ),
        migrations.CreateModel(
            name='ResponseChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('response', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='surveys.response', verbose_name='response')),
                ('void', models.BooleanField(verbose_name='taken out of the figures')),
                ('reason', models.CharField(max_length=200, verbose_name='reason')),
                ('at', models.DateTimeField(verbose_name='when')),
                ('actor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
            ],
            options={
                'verbose_name': 'answer taken out of the figures',
                'verbose_name_plural': 'answers taken out of the figures',
            },
        ),
        migrations.CreateModel(
            name='Upload',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('response', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='uploads', to='surveys.response')),
                ('picture', models.FileField(upload_to='answers/', verbose_name='picture')),
                ('width', models.PositiveIntegerField(editable=False)),
                ('height', models.PositiveIntegerField(editable=False)),
                ('created_at', models.DateTimeField(verbose_name='sent')),
            ],
            options={
                'verbose_name': 'picture of an answer',
                'verbose_name_plural': 'pictures of answers',
            },
        ),
        migrations.CreateModel(
            name='CaseMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('case', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='surveys.case', verbose_name='case')),
                ('kind', models.CharField(choices=[('note', 'Internal note'), ('out', 'To the member'), ('in', 'From the member')], max_length=5, verbose_name='kind')),
                ('channel', models.CharField(choices=[('email', 'E-mail'), ('portal', 'Portal'), ('phone', 'Phone'), ('person', 'In person'), ('survey', 'Survey')], max_length=10, verbose_name='channel')),
                ('text', models.TextField(max_length=10000, verbose_name='text')),
                ('picture', models.FileField(blank=True, upload_to='cases/', verbose_name='picture')),
                ('width', models.PositiveIntegerField(editable=False, null=True)),
                ('height', models.PositiveIntegerField(editable=False, null=True)),
                ('key', models.CharField(blank=True, editable=False, max_length=250, null=True, unique=True)),
                ('author', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('at', models.DateTimeField(verbose_name='when')),
                ('send_at', models.DateTimeField(blank=True, null=True, verbose_name='to be sent')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='sent')),
                ('refused', models.BooleanField(db_default=False, default=False, verbose_name='could not be sent')),
                ('not_kept', models.JSONField(blank=True, db_default=[], default=list, editable=False, verbose_name='files that were not kept')),
            ],
            options={
                'verbose_name': 'message of a case',
                'verbose_name_plural': 'messages of cases',
                'indexes': [models.Index(fields=['case', 'at'], name='surveys_casemessage_case'), models.Index(condition=models.Q(('send_at__isnull', False)), fields=['send_at'], name='surveys_casemessage_send')],
            },
        ),
        migrations.CreateModel(
            name='Remedy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(editable=False, unique=True)),
                ('case', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='remedies', to='surveys.case', verbose_name='case')),
                ('kind', models.CharField(choices=[('apology', 'Apology'), ('points', 'Points'), ('coupon', 'Coupon')], max_length=10, verbose_name='kind')),
                ('points', models.PositiveIntegerField(blank=True, null=True, verbose_name='points')),
                ('offer', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rewards.offer', verbose_name='offer')),
                ('reason', models.CharField(blank=True, max_length=200, verbose_name='reason')),
                ('state', models.CharField(choices=[('given', 'Given'), ('waiting', 'Waits for another person'), ('refused', 'Refused')], max_length=10, verbose_name='state')),
                ('grant', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='remedy', to='rewards.grantrequest', verbose_name='gift')),
                ('coupon', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='remedy', to='rewards.coupon', verbose_name='coupon')),
                ('at', models.DateTimeField(verbose_name='when')),
                ('actor', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('settled_at', models.DateTimeField(blank=True, null=True, verbose_name='decided')),
                ('settled_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='decided by')),
            ],
            options={
                'verbose_name': 'remedy',
                'verbose_name_plural': 'remedies',
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('grant__isnull', False), ('kind', 'points'), ('points__gt', 0)), models.Q(('kind', 'coupon'), ('offer__isnull', False), ('points', None)), models.Q(('kind', 'apology'), ('offer', None), ('points', None)), _connector='OR'), name='surveys_remedy_what'), models.CheckConstraint(condition=models.Q(models.Q(('kind', 'coupon'), ('state', 'given'), _negated=True), ('coupon__isnull', False), _connector='OR'), name='surveys_remedy_given'), models.CheckConstraint(condition=models.Q(('settled_by', None), models.Q(('settled_by', models.F('actor')), _negated=True), _connector='OR'), name='surveys_remedy_four_eyes')],
            },
        ),
        migrations.CreateModel(
            name='Suggestion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('case', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='suggestion', to='surveys.case', verbose_name='case')),
                ('title', models.CharField(max_length=200, verbose_name='what was suggested')),
                ('title_en', models.CharField(max_length=200, null=True, verbose_name='what was suggested')),
                ('title_zh_hans', models.CharField(max_length=200, null=True, verbose_name='what was suggested')),
                ('answer', models.TextField(blank=True, max_length=2000, verbose_name='our answer')),
                ('answer_en', models.TextField(blank=True, max_length=2000, null=True, verbose_name='our answer')),
                ('answer_zh_hans', models.TextField(blank=True, max_length=2000, null=True, verbose_name='our answer')),
                ('state', models.CharField(choices=[('open', 'We are looking at it'), ('planned', 'We will do it'), ('done', 'You said, we did'), ('declined', 'Not for now')], default='open', max_length=10, verbose_name='state')),
                ('published_at', models.DateTimeField(blank=True, null=True, verbose_name='shown since')),
                ('changed_at', models.DateTimeField(verbose_name='changed')),
            ],
            options={
                'verbose_name': 'suggestion',
                'verbose_name_plural': 'suggestions',
            },
        ),
        migrations.CreateModel(
            name='Answer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('response', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='answers', to='surveys.response')),
                ('question', models.CharField(max_length=20, verbose_name='question')),
                ('number', models.DecimalField(blank=True, decimal_places=6, max_digits=19, null=True, verbose_name='number')),
                ('choices', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), blank=True, null=True, size=None, verbose_name='choices')),
                ('rows', models.JSONField(blank=True, null=True, verbose_name='rows')),
                ('text', models.TextField(blank=True, db_default='', verbose_name='text')),
                ('words', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), blank=True, editable=False, null=True, size=None)),
                ('themes', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), blank=True, editable=False, null=True, size=None)),
                ('day', models.DateField(blank=True, null=True, verbose_name='day')),
                ('upload', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='surveys.upload', verbose_name='picture')),
            ],
            options={
                'verbose_name': 'answer',
                'verbose_name_plural': 'answers',
                'indexes': [models.Index(condition=models.Q(('words', None), models.Q(('text', ''), _negated=True)), fields=['id'], name='surveys_answer_unread')],
                'constraints': [models.UniqueConstraint(models.F('response'), models.F('question'), include=('number',), name='surveys_answer_question')],
            },
        ),
        migrations.CreateModel(
            name='CaseChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('case', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='changes', to='surveys.case', verbose_name='case')),
                ('what', models.CharField(max_length=20, verbose_name='what')),
                ('data', models.JSONField(default=dict, verbose_name='details')),
                ('at', models.DateTimeField(verbose_name='when')),
                ('actor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
            ],
            options={
                'verbose_name': 'history of a case',
                'verbose_name_plural': 'history of cases',
                'indexes': [models.Index(fields=['case', 'at'], name='surveys_casechange_case')],
            },
        ),
        migrations.CreateModel(
            name='CaseFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='files', to='surveys.casemessage', verbose_name='message')),
                ('file', models.FileField(upload_to='cases/', verbose_name='file')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('width', models.PositiveIntegerField(editable=False, null=True)),
                ('height', models.PositiveIntegerField(editable=False, null=True)),
            ],
            options={
                'verbose_name': 'file of a case',
                'verbose_name_plural': 'files of cases',
            },
        ),
        migrations.CreateModel(
            name='SuggestionLike',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('suggestion', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='likes', to='surveys.suggestion', verbose_name='suggestion')),
                ('member', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='suggestion_likes', to='members.member', verbose_name='member')),
                ('at', models.DateTimeField(verbose_name='when')),
            ],
            options={
                'verbose_name': 'like of a suggestion',
                'verbose_name_plural': 'likes of suggestions',
                'constraints': [models.UniqueConstraint(models.F('suggestion'), models.F('member'), name='surveys_suggestionlike_once')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='casechange',
            trigger=pgtrigger.compiler.Trigger(name='read_only', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."case_id" IS DISTINCT FROM (NEW."case_id") OR OLD."what" IS DISTINCT FROM (NEW."what") OR OLD."data" IS DISTINCT FROM (NEW."data") OR OLD."at" IS DISTINCT FROM (NEW."at"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='764d7183d111442f5304939600eb348d8b82f4ba', operation='UPDATE', pgid='pgtrigger_read_only_71578', table='surveys_casechange', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='casechange',
            trigger=pgtrigger.compiler.Trigger(name='keep', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='943612b2ef5b47f68734a8e9592507c9f59fa41c', operation='DELETE', pgid='pgtrigger_keep_3e677', table='surveys_casechange', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='responsechange',
            trigger=pgtrigger.compiler.Trigger(name='read_only', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."response_id" IS DISTINCT FROM (NEW."response_id") OR OLD."void" IS DISTINCT FROM (NEW."void") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."at" IS DISTINCT FROM (NEW."at"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='c0e63fe14c3fede42d15b0283e0e292a59e9b1f7', operation='UPDATE', pgid='pgtrigger_read_only_656f1', table='surveys_responsechange', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='responsechange',
            trigger=pgtrigger.compiler.Trigger(name='keep', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='71ef6339c6e7753b5e809f1c1f9fe4a19201e11a', operation='DELETE', pgid='pgtrigger_keep_803b1', table='surveys_responsechange', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='surveyversion',
            trigger=pgtrigger.compiler.Trigger(name='read_only', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."survey_id" IS DISTINCT FROM (NEW."survey_id") OR OLD."number" IS DISTINCT FROM (NEW."number") OR OLD."definition" IS DISTINCT FROM (NEW."definition") OR OLD."at" IS DISTINCT FROM (NEW."at"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='d2d700628974aa5e2c1f50cac6b2924c990e5216', operation='UPDATE', pgid='pgtrigger_read_only_5ca31', table='surveys_surveyversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='surveyversion',
            trigger=pgtrigger.compiler.Trigger(name='keep', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='972af7b841bd0c030d3dd97df97fd7edddeaa449', operation='DELETE', pgid='pgtrigger_keep_e741c', table='surveys_surveyversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='response',
            trigger=pgtrigger.compiler.Trigger(name='stays', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (NOT (OLD."state" = \'started\'))', func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='eed6b38b75ee1c3727dfe4a5b69844ad83b8afd7', operation='DELETE', pgid='pgtrigger_stays_2a79a', table='surveys_response', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='answer',
            trigger=pgtrigger.compiler.Trigger(name='kept', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."choices" IS DISTINCT FROM (NEW."choices") OR OLD."day" IS DISTINCT FROM (NEW."day") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."number" IS DISTINCT FROM (NEW."number") OR OLD."question" IS DISTINCT FROM (NEW."question") OR OLD."response_id" IS DISTINCT FROM (NEW."response_id") OR OLD."rows" IS DISTINCT FROM (NEW."rows") OR OLD."text" IS DISTINCT FROM (NEW."text") OR OLD."upload_id" IS DISTINCT FROM (NEW."upload_id"))', func="\nIF EXISTS (SELECT FROM surveys_response WHERE id = OLD.response_id AND state <> 'started') THEN\n    RAISE EXCEPTION 'pgtrigger: Cannot change answers of a finished response';\nEND IF;\nIF TG_OP = 'DELETE' THEN RETURN OLD; END IF;\nRETURN NEW;\n", hash='e2c06cecaac2fbd2d7372530dddb24c8fcb220e7', operation='UPDATE', pgid='pgtrigger_kept_dd829', table='surveys_answer', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='answer',
            trigger=pgtrigger.compiler.Trigger(name='stays', sql=pgtrigger.compiler.UpsertTriggerSql(func="\nIF EXISTS (SELECT FROM surveys_response WHERE id = OLD.response_id AND state <> 'started') THEN\n    RAISE EXCEPTION 'pgtrigger: Cannot change answers of a finished response';\nEND IF;\nIF TG_OP = 'DELETE' THEN RETURN OLD; END IF;\nRETURN NEW;\n", hash='4122373262d094ed4b2b690a70b2185d6c382ff0', operation='DELETE', pgid='pgtrigger_stays_ab6bd', table='surveys_answer', when='BEFORE')),
        ),
        migrations.RunPython(take_defaults, migrations.RunPython.noop),
    ]
