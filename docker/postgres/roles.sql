-- Two roles: mainmask_owner, for migrations, owns the tables; mainmask_app, for all else, reads and writes rows.
-- Run it by psql in the new database, once, as a role that may create roles:
--   OWNER_PASSWORD=… APP_PASSWORD=… psql --file docker/postgres/roles.sql "$ADMIN_DATABASE_URL"
\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD

CREATE ROLE mainmask_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE mainmask_app LOGIN PASSWORD :'app_password';

REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO mainmask_owner, mainmask_app;
GRANT USAGE, CREATE ON SCHEMA public TO mainmask_owner;
GRANT USAGE ON SCHEMA public TO mainmask_app;

-- Who isn't a superuser must be a member of a role to say what becomes of its tables.
GRANT mainmask_owner TO CURRENT_USER;
ALTER DEFAULT PRIVILEGES FOR ROLE mainmask_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO mainmask_app;
