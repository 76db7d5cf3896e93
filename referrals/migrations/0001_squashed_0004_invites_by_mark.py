"""All tables of the room at once: what a new database begins with, in place of the steps that it names."""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('referrals', '0001_referrals'), ('referrals', '0002_poster'), ('referrals', '0003_said_codes'), ('referrals', '0004_invites_by_mark')]

    initial = True

    dependencies = [
        ('members', '0001_squashed_0021_app_channel'),
        ('rewards', '0001_squashed_0021_issued_by_referral'),
    ]

    operations = [
        migrations.CreateModel(
            name='Unwilling',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mark', models.CharField(max_length=64, unique=True)),
                ('at', models.DateTimeField(verbose_name='since')),
            ],
            options={
                'verbose_name': 'refusal of invitations',
                'verbose_name_plural': 'refusals of invitations',
            },
        ),
        migrations.CreateModel(
            name='Advocate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('member', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='advocate', to='members.member', verbose_name='member')),
                ('code', models.CharField(max_length=12, unique=True, verbose_name='code')),
                ('shows_name', models.BooleanField(default=False, verbose_name='friends see the first name')),
                ('nickname', models.CharField(blank=True, db_default='', max_length=40, verbose_name='nickname')),
                ('is_listed', models.BooleanField(default=False, verbose_name='on the leaderboard')),
                ('created_at', models.DateTimeField(verbose_name='since')),
            ],
            options={
                'verbose_name': 'advocate',
                'verbose_name_plural': 'advocates',
                'indexes': [models.Index(condition=models.Q(('is_listed', True)), fields=['member'], name='referrals_advocate_listed')],
                'constraints': [models.CheckConstraint(condition=models.Q(('is_listed', False), models.Q(('nickname', ''), _negated=True), _connector='OR'), name='referrals_advocate_listed')],
            },
        ),
        migrations.CreateModel(
            name='Block',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('mail', 'Mail address or domain'), ('network', 'Network'), ('device', 'Device'), ('member', 'Member')], max_length=10, verbose_name='kind')),
                ('value', models.CharField(max_length=254, verbose_name='value')),
                ('reason', models.CharField(max_length=200, verbose_name='reason')),
                ('created_at', models.DateTimeField(verbose_name='since')),
                ('actor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
            ],
            options={
                'verbose_name': 'blocked entry',
                'verbose_name_plural': 'blocked entries',
                'constraints': [models.UniqueConstraint(models.F('kind'), models.F('value'), name='referrals_block_once')],
            },
        ),
        migrations.CreateModel(
            name='Former',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mark', models.CharField(max_length=64, unique=True)),
                ('at', models.DateTimeField(verbose_name='since')),
            ],
            options={
                'verbose_name': "former member's mark",
                'verbose_name_plural': "former members' marks",
                'indexes': [models.Index(fields=['at'], name='referrals_former_at')],
            },
        ),
        migrations.CreateModel(
            name='Guess',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('who', models.CharField(max_length=64)),
                ('minute', models.DateTimeField(verbose_name='minute')),
                ('misses', models.PositiveIntegerField(db_default=1, default=1, verbose_name='misses')),
            ],
            options={
                'verbose_name': 'guessed code',
                'verbose_name_plural': 'guessed codes',
                'indexes': [models.Index(fields=['minute'], name='referrals_guess_minute')],
                'constraints': [models.UniqueConstraint(models.F('who'), models.F('minute'), name='referrals_guess_once')],
            },
        ),
        migrations.CreateModel(
            name='Programme',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, verbose_name='name in the office')),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('live', 'Live'), ('paused', 'Paused'), ('ended', 'Ended')], default='draft', max_length=10, verbose_name='state')),
                ('position', models.PositiveIntegerField(db_default=0, default=0, verbose_name='position')),
                ('starts_at', models.DateTimeField(blank=True, null=True, verbose_name='begins')),
                ('ends_at', models.DateTimeField(blank=True, null=True, verbose_name='ends')),
                ('segment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.segment', verbose_name='for the segment')),
                ('draft', models.JSONField(default=dict, verbose_name='definition')),
                ('number', models.PositiveIntegerField(default=0, verbose_name='version')),
                ('budget_minor', models.PositiveBigIntegerField(blank=True, null=True, verbose_name='budget, in minor units')),
                ('spent_minor', models.PositiveBigIntegerField(db_default=0, default=0, editable=False, verbose_name='spent of the budget')),
                ('created_at', models.DateTimeField(verbose_name='made')),
                ('changed_at', models.DateTimeField(verbose_name='changed')),
                ('tiers', models.ManyToManyField(blank=True, related_name='+', to='rewards.tier', verbose_name='for the tiers')),
            ],
            options={
                'verbose_name': 'referral programme',
                'verbose_name_plural': 'referral programmes',
                'ordering': ('position', 'id'),
                'constraints': [models.CheckConstraint(condition=models.Q(('starts_at', None), ('ends_at', None), ('ends_at__gt', models.F('starts_at')), _connector='OR'), name='referrals_programme_dates'), models.CheckConstraint(condition=models.Q(('budget_minor', None), ('spent_minor__lte', models.F('budget_minor')), _connector='OR'), name='referrals_programme_budget'), models.CheckConstraint(condition=models.Q(('state', 'draft'), ('number__gte', 1), _connector='OR'), name='referrals_programme_published')],
            },
        ),
        migrations.CreateModel(
            name='Trace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('member', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='members.member')),
                ('kind', models.CharField(max_length=10, verbose_name='kind')),
                ('mark', models.CharField(max_length=64)),
                ('seen_at', models.DateTimeField(verbose_name='last seen')),
            ],
            options={
                'verbose_name': 'trace',
                'verbose_name_plural': 'traces',
                'indexes': [models.Index(fields=['kind', 'mark'], name='referrals_trace_mark'), models.Index(fields=['seen_at'], name='referrals_trace_seen')],
                'constraints': [models.UniqueConstraint(models.F('member'), models.F('kind'), models.F('mark'), name='referrals_trace_once')],
            },
        ),
        migrations.CreateModel(
            name='Invite',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('advocate', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='invites', to='referrals.advocate')),
                ('mark', models.CharField(max_length=64)),
                ('address', models.EmailField(blank=True, db_default='', max_length=254, verbose_name='e-mail')),
                ('language', models.CharField(max_length=7, verbose_name='language')),
                ('created_at', models.DateTimeField(verbose_name='asked')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='sent')),
                ('failed_at', models.DateTimeField(blank=True, null=True, verbose_name='could not be sent')),
            ],
            options={
                'verbose_name': 'invitation',
                'verbose_name_plural': 'invitations',
                'indexes': [models.Index(fields=['mark', 'created_at'], name='referrals_invite_mark'), models.Index(fields=['advocate', 'created_at'], name='referrals_invite_day'), models.Index(condition=models.Q(('failed_at', None), ('sent_at', None)), fields=['created_at'], name='referrals_invite_waiting')],
                'constraints': [models.UniqueConstraint(models.F('advocate'), models.F('mark'), name='referrals_invite_once')],
            },
        ),
        migrations.CreateModel(
            name='ProgrammeVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('programme', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='referrals.programme', verbose_name='programme')),
                ('number', models.PositiveIntegerField(verbose_name='version')),
                ('definition', models.JSONField(verbose_name='definition')),
                ('at', models.DateTimeField(verbose_name='since')),
                ('actor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
            ],
            options={
                'verbose_name': 'version of a referral programme',
                'verbose_name_plural': 'versions of referral programmes',
                'constraints': [models.UniqueConstraint(models.F('programme'), models.F('number'), name='referrals_version_number')],
            },
        ),
        migrations.CreateModel(
            name='Said',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purchase', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.purchase', verbose_name='purchase')),
                ('advocate', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='referrals.advocate', verbose_name='advocate')),
                ('at', models.DateTimeField(verbose_name='when')),
            ],
            options={
                'verbose_name': 'code said with a purchase',
                'verbose_name_plural': 'codes said with purchases',
            },
        ),
        migrations.CreateModel(
            name='Traffic',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('advocate', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='traffic', to='referrals.advocate')),
                ('day', models.DateField(verbose_name='day')),
                ('channel', models.CharField(choices=[('copy', 'Copied'), ('qr', 'QR code'), ('card', 'Printed card'), ('poster', 'Printed poster'), ('mail', 'Mail'), ('invite', 'Invitation by mail'), ('whatsapp', 'WhatsApp'), ('telegram', 'Telegram'), ('x', 'X'), ('facebook', 'Facebook'), ('line', 'LINE'), ('wechat', 'WeChat'), ('device', 'Share sheet of the device')], max_length=10, verbose_name='channel')),
                ('shares', models.PositiveIntegerField(db_default=0, default=0, verbose_name='shares')),
                ('visits', models.PositiveIntegerField(db_default=0, default=0, verbose_name='visits')),
                ('taken', models.PositiveIntegerField(db_default=0, default=0, verbose_name='gifts taken')),
            ],
            options={
                'verbose_name': 'traffic of a link',
                'verbose_name_plural': 'traffic of links',
                'indexes': [models.Index(fields=['day'], name='referrals_traffic_day')],
                'constraints': [models.UniqueConstraint(models.F('advocate'), models.F('day'), models.F('channel'), name='referrals_traffic_once')],
            },
        ),
        migrations.CreateModel(
            name='Referral',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='referrals.programmeversion', verbose_name='version')),
                ('programme', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='referrals', to='referrals.programme', verbose_name='programme')),
                ('giver', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='referrals_made', to='members.member', verbose_name='brought by')),
                ('friend', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='referral', to='members.member', verbose_name='friend')),
                ('source', models.CharField(choices=[('link', 'Link'), ('code', 'Code'), ('invite', 'Invitation by mail'), ('till', 'Said at the till'), ('claim', 'Told later'), ('api', 'Told by a shop')], max_length=10, verbose_name='known by')),
                ('channel', models.CharField(blank=True, choices=[('copy', 'Copied'), ('qr', 'QR code'), ('card', 'Printed card'), ('poster', 'Printed poster'), ('mail', 'Mail'), ('invite', 'Invitation by mail'), ('whatsapp', 'WhatsApp'), ('telegram', 'Telegram'), ('x', 'X'), ('facebook', 'Facebook'), ('line', 'LINE'), ('wechat', 'WeChat'), ('device', 'Share sheet of the device')], db_default='', max_length=10, verbose_name='channel')),
                ('state', models.CharField(choices=[('joined', 'On the way'), ('review', 'Looked at by the shop'), ('held', 'Waiting'), ('rewarded', 'Thanked'), ('lapsed', 'Ran out'), ('refused', 'Refused'), ('reversed', 'Taken back')], default='joined', max_length=10, verbose_name='state')),
                ('touched_at', models.DateTimeField(verbose_name='first seen')),
                ('joined_at', models.DateTimeField(verbose_name='came')),
                ('qualified_at', models.DateTimeField(blank=True, null=True, verbose_name='became a customer')),
                ('purchase', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.purchase', verbose_name='purchase')),
                ('due_at', models.DateTimeField(blank=True, null=True, verbose_name='due')),
                ('ended_at', models.DateTimeField(blank=True, null=True, verbose_name='done')),
                ('promised_minor', models.PositiveBigIntegerField(db_default=0, default=0, verbose_name='of the budget')),
                ('is_capped', models.BooleanField(default=False, verbose_name="above the giver's limit")),
                ('score', models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name='doubt')),
                ('why', models.JSONField(default=dict, verbose_name='why')),
                ('reason', models.CharField(blank=True, db_default='', max_length=200, verbose_name='reason')),
                ('objection', models.TextField(blank=True, db_default='', max_length=2000, verbose_name='objection')),
                ('objected_at', models.DateTimeField(blank=True, null=True, verbose_name='objected')),
                ('friend_shows_name', models.BooleanField(default=False, verbose_name='the giver sees the first name')),
            ],
            options={
                'verbose_name': 'referral',
                'verbose_name_plural': 'referrals',
                'indexes': [models.Index(condition=models.Q(('state__in', ['joined', 'review', 'held'])), fields=['due_at', 'id'], name='referrals_referral_due'), models.Index(fields=['giver', '-joined_at'], name='referrals_referral_giver'), models.Index(fields=['programme', 'joined_at'], name='referrals_referral_joined'), models.Index(fields=['state', 'due_at'], name='referrals_referral_state')],
                'constraints': [models.CheckConstraint(condition=models.Q(('giver', models.F('friend')), _negated=True), name='referrals_referral_other'), models.CheckConstraint(condition=models.Q(models.Q(('due_at__isnull', False), ('ended_at', None), ('state__in', ['joined', 'review', 'held'])), models.Q(models.Q(('state__in', ['joined', 'review', 'held']), _negated=True), ('due_at', None), ('ended_at__isnull', False)), _connector='OR'), name='referrals_referral_due'), models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['review', 'held', 'rewarded']), _negated=True), ('qualified_at__isnull', False), _connector='OR'), name='referrals_referral_qualified')],
            },
        ),
        migrations.CreateModel(
            name='MilestoneReached',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('member', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.member')),
                ('programme', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='referrals.programme')),
                ('friends', models.PositiveIntegerField(verbose_name='friends')),
                ('referral', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='milestones', to='referrals.referral')),
                ('at', models.DateTimeField(verbose_name='when')),
            ],
            options={
                'verbose_name': 'milestone',
                'verbose_name_plural': 'milestones',
                'constraints': [models.UniqueConstraint(models.F('member'), models.F('programme'), models.F('friends'), name='referrals_milestone_once')],
            },
        ),
        migrations.CreateModel(
            name='ReferralStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('referral', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='steps', to='referrals.referral', verbose_name='referral')),
                ('state', models.CharField(choices=[('joined', 'On the way'), ('review', 'Looked at by the shop'), ('held', 'Waiting'), ('rewarded', 'Thanked'), ('lapsed', 'Ran out'), ('refused', 'Refused'), ('reversed', 'Taken back')], max_length=10, verbose_name='state')),
                ('at', models.DateTimeField(verbose_name='when')),
                ('note', models.CharField(blank=True, db_default='', max_length=200, verbose_name='note')),
                ('actor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='staff')),
            ],
            options={
                'verbose_name': 'step of a referral',
                'verbose_name_plural': 'steps of referrals',
            },
        ),
        migrations.CreateModel(
            name='ThanksGiven',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('referral', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='thanks', to='referrals.referral', verbose_name='referral')),
                ('member', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.member', verbose_name='member')),
                ('role', models.CharField(choices=[('giver', 'Who brought them'), ('friend', 'Friend'), ('second', 'Who brought the one who brought them')], max_length=10, verbose_name='as')),
                ('occasion', models.CharField(choices=[('welcome', 'Welcome'), ('qualified', 'Became a customer'), ('milestone', 'Milestone')], max_length=10, verbose_name='for')),
                ('what', models.CharField(max_length=10, verbose_name='what')),
                ('amount', models.PositiveBigIntegerField(default=1, verbose_name='amount')),
                ('key', models.CharField(max_length=80, unique=True)),
                ('cost_minor', models.PositiveBigIntegerField(default=0, verbose_name='cost, in minor units')),
                ('transfer', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rewards.transfer')),
                ('coupon', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='rewards.coupon')),
                ('given_at', models.DateTimeField(verbose_name='given')),
                ('taken_at', models.DateTimeField(blank=True, null=True, verbose_name='taken back')),
            ],
            options={
                'verbose_name': 'thanks',
                'verbose_name_plural': 'thanks',
                'indexes': [models.Index(fields=['member', '-given_at'], name='referrals_thanks_member')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='programmeversion',
            trigger=pgtrigger.compiler.Trigger(name='read_only', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."programme_id" IS DISTINCT FROM (NEW."programme_id") OR OLD."number" IS DISTINCT FROM (NEW."number") OR OLD."definition" IS DISTINCT FROM (NEW."definition") OR OLD."at" IS DISTINCT FROM (NEW."at"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='dabddaa8f97b37d03220266c3bead3e5f1e18995', operation='UPDATE', pgid='pgtrigger_read_only_67060', table='referrals_programmeversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='programmeversion',
            trigger=pgtrigger.compiler.Trigger(name='keep', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='6eb01e2af2c955b854bd161c6bd31263601022c0', operation='DELETE', pgid='pgtrigger_keep_ca541', table='referrals_programmeversion', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='referralstep',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='871079f43614fde86061d00a62cce14fe470c3d7', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_8c896', table='referrals_referralstep', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='thanksgiven',
            trigger=pgtrigger.compiler.Trigger(name='as_given', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."referral_id" IS DISTINCT FROM (NEW."referral_id") OR OLD."role" IS DISTINCT FROM (NEW."role") OR OLD."occasion" IS DISTINCT FROM (NEW."occasion") OR OLD."what" IS DISTINCT FROM (NEW."what") OR OLD."amount" IS DISTINCT FROM (NEW."amount") OR OLD."key" IS DISTINCT FROM (NEW."key") OR OLD."cost_minor" IS DISTINCT FROM (NEW."cost_minor") OR OLD."transfer_id" IS DISTINCT FROM (NEW."transfer_id") OR OLD."coupon_id" IS DISTINCT FROM (NEW."coupon_id") OR OLD."given_at" IS DISTINCT FROM (NEW."given_at"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='141f6945f5c108595b0c1ab319618acb85807a1a', operation='UPDATE', pgid='pgtrigger_as_given_4771e', table='referrals_thanksgiven', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='thanksgiven',
            trigger=pgtrigger.compiler.Trigger(name='keep', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='541f34e42b281ff277983dc1f761efcb29b3f073', operation='DELETE', pgid='pgtrigger_keep_eefc4', table='referrals_thanksgiven', when='BEFORE')),
        ),
    ]
