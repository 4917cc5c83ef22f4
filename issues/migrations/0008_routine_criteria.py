from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('issues', '0007_approvals'),
    ]

    operations = [
        migrations.AddField(
            model_name='routine',
            name='criteria',
            field=models.JSONField(blank=True, default=list),
        ),
    ]
