# In memory, then again from the file that it left.
sqlite3 kept.db </work/sqlite.sql && sqlite3 kept.db 'PRAGMA integrity_check; SELECT count(*), total(price) FROM sale;' &&
  sha256sum kept.db
