import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='CardClaim',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('card_number', models.CharField(max_length=12, verbose_name='card number')),
                ('channel', models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message')], default='email', max_length=10, verbose_name='preferred channel')),
                ('language', models.CharField(choices=[('en', 'English'), ('zh-hans', 'Simplified Chinese')], default='en', max_length=7, verbose_name='language')),
                ('code_hash', models.CharField(blank=True, max_length=64, verbose_name='hash of the code')),
                ('tries', models.PositiveSmallIntegerField(default=0, verbose_name='tries')),
                ('started_at', models.DateTimeField(verbose_name='asked')),
                ('expires_at', models.DateTimeField(verbose_name='expires')),
                ('handled_at', models.DateTimeField(blank=True, null=True, verbose_name='code sent, or nobody to send it to')),
                ('claimed_at', models.DateTimeField(blank=True, null=True, verbose_name='claimed')),
            ],
            options={
                'verbose_name': 'card claim',
                'verbose_name_plural': 'card claims',
            },
        ),
        migrations.AddField(
            model_name='cardclaim',
            name='member',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='claims', to='members.member', verbose_name='member'),
        ),
        migrations.AddField(
            model_name='cardclaim',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='card_claims', to=settings.AUTH_USER_MODEL, verbose_name='user'),
        ),
        migrations.AddIndex(
            model_name='cardclaim',
            index=models.Index(fields=['user', '-started_at'], name='members_claim_user'),
        ),
        migrations.AddIndex(
            model_name='cardclaim',
            index=models.Index(fields=['card_number', '-started_at'], name='members_claim_card'),
        ),
        migrations.AddIndex(
            model_name='cardclaim',
            index=models.Index(condition=models.Q(('handled_at', None)), fields=['id'], name='members_claim_due'),
        ),
        migrations.AddConstraint(
            model_name='cardclaim',
            constraint=models.CheckConstraint(condition=models.Q(('tries__lte', 5)), name='members_claim_tries'),
        ),
    ]
