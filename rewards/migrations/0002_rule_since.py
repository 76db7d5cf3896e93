from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('rewards', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='earningrule',
            name='created_at',
            field=models.DateTimeField(editable=False, verbose_name='since'),
        ),
    ]
