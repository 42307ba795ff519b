python3.11 /work/python.py
