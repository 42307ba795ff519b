-- A schema, 20,000 rows, and what is asked of such: joins, windows, recursion, floating-point aggregates.
PRAGMA journal_mode = WAL;
CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, region TEXT CHECK (region IN ('n', 's', 'e', 'w')));
CREATE TABLE sale (id INTEGER PRIMARY KEY, shop INTEGER REFERENCES shop, day INTEGER, price REAL, note TEXT);
CREATE TABLE audit (sale INTEGER, before REAL, after REAL);
CREATE TRIGGER changed AFTER UPDATE OF price ON sale WHEN new.id % 50 = 0
  BEGIN INSERT INTO audit VALUES (new.id, old.price, new.price); END;
INSERT INTO shop SELECT value, printf('shop %03d', value * 37 % 101), substr('nsew', value % 4 + 1, 1) FROM generate_series(1, 100);
BEGIN;
WITH RECURSIVE n(i, x) AS (SELECT 1, 4711 UNION ALL SELECT i + 1, (x * 1103515245 + 12345) % 2147483648 FROM n WHERE i < 20000)
  INSERT INTO sale SELECT i, x % 100 + 1, x / 100 % 365, (x % 99991) / 97.0, CASE x % 7 WHEN 0 THEN NULL ELSE hex(x) END FROM n;
COMMIT;
CREATE INDEX sale_by_day ON sale (day, shop);
UPDATE sale SET price = price * 1.07 WHERE day BETWEEN 100 AND 200;
DELETE FROM sale WHERE note LIKE '%ABC%' OR note GLOB '3[0-4]*F';
SELECT region, count(*), sum(price), avg(price), min(price), max(price), group_concat(DISTINCT day % 5)
  FROM sale JOIN shop ON shop.id = sale.shop GROUP BY region ORDER BY region;
SELECT name, month, total, rank() OVER (PARTITION BY month ORDER BY total DESC), round(sum(total) OVER (PARTITION BY name ORDER BY month), 6)
  FROM (SELECT name, day / 31 AS month, sum(price) AS total FROM sale JOIN shop ON shop.id = sale.shop GROUP BY name, month)
  ORDER BY name, month LIMIT 120;
SELECT day, avg(price) OVER (ORDER BY day, id ROWS BETWEEN 6 PRECEDING AND CURRENT ROW), lag(price, 2) OVER (ORDER BY day, id), ntile(10) OVER (ORDER BY price)
  FROM sale WHERE shop = 42 ORDER BY day, id LIMIT 60;
SELECT a.shop, count(*), sum(a.price * b.price) FROM sale a JOIN sale b ON a.shop = b.shop AND a.day = b.day AND a.id < b.id
  GROUP BY a.shop HAVING count(*) > 45 ORDER BY 2 DESC, 1;
SELECT count(*), total(after - before), avg(after / before) FROM audit;
SELECT json_group_array(json_object('day', day, 'sum', total)) FROM (SELECT day, sum(price) AS total FROM sale GROUP BY day ORDER BY total DESC LIMIT 12);
SELECT sum(sin(price)), sum(exp(price / 1000)), sum(ln(price + 1)), sum(pow(price, 0.3)) FROM sale;
WITH RECURSIVE hanoi(n, moves) AS (SELECT 1, 1 UNION ALL SELECT n + 1, 2 * moves + 1 FROM hanoi WHERE n < 62) SELECT max(moves) FROM hanoi;
SELECT date(2460000.5 + day), strftime('%W %w', 2460000.5 + day), typeof(price), quote(note), instr(note, 'F') FROM sale WHERE id % 1999 = 0;
EXPLAIN QUERY PLAN SELECT * FROM sale WHERE day = 3 AND shop = 5;
PRAGMA wal_checkpoint(TRUNCATE);
