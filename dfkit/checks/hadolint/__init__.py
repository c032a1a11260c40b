"""What hadolint finds, for the profile that imitates it: what it is found by, not what is right.

What hadolint 2.15 does was learnt by running it. scripts/oracle_hadolint.py holds these checks against it, and
docs/hadolint-differences.md says where the other profiles differ.
"""
