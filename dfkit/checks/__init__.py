"""What can be wrong with a Dockerfile: plain functions, one module a subject. `uses: module.function` of a rule names one."""
