"""The web and the mail that a rehearsal's marketing plays in, on this machine alone.

The jobs and their checkers are the ones of a real company, with other addresses. Here
is who answers them: our site and the service that builds it, six rivals, newspapers,
directories, search engines, a mail server. None of them knows the database: they have a
plan of ports and keys, and the repository of the site.
"""
