cd /proc/sys; { sed -n 's/^[[:space:]-]*\([^[:space:]=#;]*\)\s*=.*/\1/p' /tmp/k/a.conf; echo; } | while read -r k; do
case ${k#"${k%%[./]*}"} in .*) k=$(echo "$k" | tr ./ /.); esac
case $k in *..*) k=; esac
for f in ./$k; do [ -f $f ] && read -r v <$f && echo "${f#./}=$v"; done
done
