"""The object store, set up: buckets and their rules, who may do what, and the notifications of new objects.

python -m infra.store                  sets a store up; doing it again changes nothing
python -m infra.store --policy upload  prints what an identity may do as an S3 policy, for users made by hand
"""
