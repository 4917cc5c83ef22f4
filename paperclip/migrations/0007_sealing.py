import django.db.models.deletion
from django.db import migrations, models

# Refused also to raw SQL. The tests, which empty their tables, say so.
APPEND_ONLY = """
CREATE FUNCTION paperclip_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_setting('paperclip.truncate', true) = 'allowed'
    THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON paperclip_activity
    FOR EACH STATEMENT EXECUTE FUNCTION paperclip_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON paperclip_seal
    FOR EACH STATEMENT EXECUTE FUNCTION paperclip_append_only();
"""
# The seal of an entry, given the head of its chain and, as a window aggregate, the
# seals of the entries in between.
SEAL = """
CREATE FUNCTION paperclip_next_seal(before bytea, head bytea, entry text)
    RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT sha256(coalesce(before, head) || convert_to(entry, 'UTF8')) $$;
CREATE AGGREGATE paperclip_seal(head bytea, entry text)
    (SFUNC = paperclip_next_seal, STYPE = bytea);
"""
# What was done before there were seals is sealed by the first sweeps.
BACKLOG = """
INSERT INTO paperclip_unsealed (seq, company_id)
SELECT seq, company_id FROM paperclip_activity ORDER BY seq
"""


class Migration(migrations.Migration):

    dependencies = [
        ('paperclip', '0006_activity_of_run'),
    ]

    operations = [
        migrations.CreateModel(
            name='Chain',
            fields=[
                ('company', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='paperclip.company')),
                ('length', models.BigIntegerField(default=0)),
                ('head', models.BinaryField(max_length=32)),
                ('sealed_at', models.DateTimeField(null=True)),
                ('checkpoint', models.BigIntegerField(default=0)),
                ('checkpoint_at', models.DateTimeField(null=True)),
                ('verified', models.BigIntegerField(default=0)),
                ('verified_at', models.DateTimeField(null=True)),
                ('findings', models.JSONField(default=list)),
            ],
            options={
                'verbose_name': 'chain',
            },
        ),
        migrations.AlterField(
            model_name='activity',
            name='company',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='paperclip.company'),
        ),
        migrations.CreateModel(
            name='Unsealed',
            fields=[
                ('seq', models.BigIntegerField(primary_key=True, serialize=False)),
                ('company', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='paperclip.company')),
            ],
            options={
                'verbose_name': 'act to be sealed',
            },
        ),
        migrations.CreateModel(
            name='Seal',
            fields=[
                ('seq', models.BigIntegerField(primary_key=True, serialize=False)),
                ('number', models.BigIntegerField()),
                ('digest', models.BinaryField(max_length=32)),
                ('company', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='paperclip.company')),
            ],
            options={
                'verbose_name': 'seal',
                'constraints': [models.UniqueConstraint(fields=('company', 'number'), name='one_seal_each')],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, """
            DROP FUNCTION paperclip_append_only() CASCADE
        """),
        migrations.RunSQL(SEAL, """
            DROP AGGREGATE paperclip_seal(bytea, text);
            DROP FUNCTION paperclip_next_seal(bytea, bytea, text)
        """),
        migrations.RunSQL(BACKLOG, migrations.RunSQL.noop),
    ]
