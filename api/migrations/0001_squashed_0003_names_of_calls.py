"""All tables of the room at once: what a new database begins with, in place of the steps that it names."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('api', '0001_initial'), ('api', '0002_key_calls'), ('api', '0003_names_of_calls')]

    initial = True

    dependencies = [
        ('members', '0001_squashed_0021_app_channel'),
    ]

    operations = [
        migrations.CreateModel(
            name='Answer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('call', models.CharField(max_length=40, verbose_name='call')),
                ('source', models.CharField(max_length=40, verbose_name='system')),
                ('key', models.CharField(max_length=120, verbose_name='key')),
                ('fingerprint', models.BinaryField(max_length=32, verbose_name='fingerprint')),
                ('status', models.PositiveSmallIntegerField(null=True, verbose_name='status')),
                ('body', models.JSONField(null=True, verbose_name='answer')),
                ('member', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='members.member', verbose_name='member')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='when')),
            ],
            options={
                'verbose_name': 'API call',
                'verbose_name_plural': 'API calls',
                'constraints': [models.UniqueConstraint(models.F('call'), models.F('source'), models.F('key'), name='api_answer_key'), models.CheckConstraint(condition=models.Q(models.Q(('body', None), ('status', None)), ('status__isnull', False), _connector='OR'), name='api_answer_whole')],
            },
        ),
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, verbose_name='name')),
                ('source', models.SlugField(help_text='A short word for the connected system: “shop”.', max_length=40, verbose_name='system')),
                ('prefix', models.CharField(editable=False, max_length=12, verbose_name='begins with')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True, verbose_name='hash')),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), default=list, size=None, verbose_name='may')),
                ('per_minute', models.PositiveIntegerField(blank=True, help_text='Empty: as many as it makes.', null=True, verbose_name='calls a minute')),
                ('minute', models.BigIntegerField(db_default=0, default=0, editable=False)),
                ('calls', models.PositiveIntegerField(db_default=0, default=0, editable=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='made')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last used')),
                ('revoked_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='revoked')),
            ],
            options={
                'verbose_name': 'API key',
                'verbose_name_plural': 'API keys',
                'ordering': ('-created_at', '-id'),
            },
        ),
    ]
