"""The kubectl plugin ``kubectl apiclient``: look at clients, act on them, and foresee what a change will do."""
