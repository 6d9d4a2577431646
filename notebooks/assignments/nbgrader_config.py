"""nbgrader's settings, for instructors who use nbgrader's own commands in this folder."""

c = get_config()  # noqa: F821  (nbgrader provides it)

c.CourseDirectory.course_id = "recurrent-networks-measured"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__"]
c.OverwriteCells.add_missing_cells = True  # a deleted check cell comes back
c.ExecutePreprocessor.timeout = 60  # seconds a cell
c.ExecutePreprocessor.interrupt_on_timeout = True  # an endless loop costs its own part only
c.ExecutePreprocessor.allow_errors = True
