from django import template

from marketing.outreach.addresses import shown

register = template.Library()
register.filter("addresses", shown)
