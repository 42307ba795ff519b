# Some of Python's own regression tests. How long they took is all that may differ.
python3.11 -m unittest -v test.test_binascii test.test_cmath test.test_complex test.test_float \
  test.test_fractions test.test_math test.test_re test.test_struct >log 2>&1
status=$?
sed 's/ in [0-9.]*s$//' log
exit $status
