"""`python -m migrations`: bring the database of the settings to the newest schema."""

from migrations.schema import upgrade

if __name__ == "__main__":
    upgrade()
