"""The rules of the design as a page: what each one says, which functions decide it, which tests check it.

``docs/rules.yaml`` holds the texts and the functions, the tests carry ``pytest.mark.rule``, and ``docs/rules.md`` is
made of both: ``python -m tests.rulebook docs/rules.md``. Whatever does not fit together is reported: a rule without a
function or a test, a function that is gone, a citation of a rule that does not exist.
"""
