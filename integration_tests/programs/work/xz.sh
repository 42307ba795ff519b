# Real text: Python's library, 2 MB.
set -e
cat /usr/lib/python3.11/*.py | head -c 2000000 >data
sha256sum data
xz -9e -k data
xz -T2 --block-size=1MiB --check=sha256 -c data >blocks.xz
xz --format=lzma -1 -c data >data.lzma
tail -c 500000 data | xz --x86 --delta=dist=4 --lzma2=preset=6,lc=4,pb=0 -c >filtered.xz
sha256sum data.xz blocks.xz data.lzma filtered.xz
xz --list --verbose data.xz blocks.xz filtered.xz
for packed in data.xz blocks.xz data.lzma filtered.xz; do xz -dc $packed | sha256sum; done
# A damaged file is found out.
head -c 300000 data.xz >short.xz
xz -t short.xz || echo status $?
(head -c 200000 data.xz; echo; tail -c +200002 data.xz) >damaged.xz
xz -t damaged.xz || echo status $?
