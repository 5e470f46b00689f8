/** Debian's busybox-static over generated inputs: every applet must do what it does on the host, byte for byte. */

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { expectSameAsHost } from "../harness/compare.ts";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { runOnOsvVm } from "../harness/osv-vm.ts";
import { describeWith, missingTool } from "../harness/requirements.ts";
import { createRoot, missingBusybox, removeRoot } from "../harness/root.ts";

const requirements = [
  missingBusybox(),
  missingCompiler("glibc"),
  missingTool("xz", "xz-utils"),
  missingTool("bzip2"),
];

/**
 * One run a line: the applet and its arguments, in single quotes where they hold spaces; after " < " the file in /work
 * that is its standard input. Those
 * that start another program start `show` (below): in the one address space of OSv busybox, which has a fixed address,
 * cannot run twice.
 */
const CASES = String.raw`
sha1sum text binary empty
sha256sum text binary empty
sha512sum text binary empty
sha3sum text binary empty
md5sum text binary empty
md5sum -c sums.md5
cksum text binary empty
crc32 text binary
sum text
gzip -k text
gzip -c -9 binary
gunzip -c text.gz
gunzip text.gz
bzip2 -k text
bzip2 -c binary
bunzip2 text.bz2
bzcat text.bz2
unxz text.xz
xzcat text.xz
xz -dc text.xz
unlzma -c text.lzma
lzcat text.lzma
tar cf archive.tar tree
tar cvf - tree text
tar tvf archive.tar
tar xvf archive.tar -C out
cpio -o -H newc --renumber-inodes --ignore-devno < names
cpio -idv -D out < archive.cpio
ar t archive.ar
cat < text
cat -A dos
cat -n text other
cat nowhere text
tac text
rev text
sort text
sort -r -u text
sort -n numbers
sort -k3,3n -k2,2 table
sort -c text
uniq -c numbers
uniq -d numbers
awk '{s+=length($0)} END{print s, NR}' text
awk '{n[$1]++} END{for(w in n) print w, n[w]}' other
awk -F '\t' '$3>500{printf("%-10s|%8.3f|%x\n",$2,$4*1.5,$3)}' table
awk 'BEGIN{print sin(1),cos(1),exp(1),log(2),sqrt(2),atan2(1,2),int(-3.7)}'
awk 'BEGIN{while(i<5000)s=s (i++)%7;print length(s),substr(s,100,20),index(s,"65")}'
awk '{gsub(/[aeiou]/,"<&>");print toupper($1),$NF}' other
awk 'BEGIN{printf "%.17g %e %g %d %c %5s|%-5s|\n",0.1,12345.678,1e-7,2^53,65,"ab","cd"}'
sed 's/kernel/KERNEL/g' text
sed -n '/page/p;$=' text
sed -E 's/([a-z]+) ([a-z]+)/\2 \1/' other
sed '1!G;h;$!d' other
sed -i.bak 's/a/b/' other
sed 'y/abc/xyz/;5q' text
grep -n kernel text
grep -c . text
grep -E '^(page|queue).*node$' text
grep -vi A other
grep -rl three tree
grep -o '[a-m]*e' other
egrep -w 'page|node' other
fgrep . table
grep nothing-like-this text
find tree
find tree -name '*.c' -type f
find tree -type l
find . -size +10 -print
find tree -perm 755
find tree -mindepth 2 -maxdepth 3
find tree -name '*.[ch]' -exec show {} ';'
find tree -depth -newer nowhere
xargs -n 300 show < numbers
xargs show < other
wc text other binary
wc -l < text
wc -L text
od text
od -A x -t x1 -N 64 binary
od -c dos
hexdump binary
hexdump -C -n 300 binary
hexdump -C zeros
hd -n 40 binary
xxd -l 200 binary
diff old new
diff -u -L a -L b old new
diff -r tree tree
cmp old new
cmp -l old new
cmp old old
cut -f2,4 table
cut -c3-9 text
cut -d ' ' -f1-3 text
tr a-z A-Z < text
tr -d aeiou < text
tr -s ' \n' _ < other
head text
head -n -1990 text
head -c 1000 binary
tail text
tail -n +1995 text
tail -c 100 binary
nl other
nl -b a no-newline
fold -w 30 text
fold -s -w 20 other
expand tabs
unexpand -a tabs
seq 1 100
seq -w 1 3 100
seq 0.5 0.25 3
factor 1234567890 997 65536 4294967291 999999000001
dc -e '20k2vp 1000 3^p'
dc -e '2 100^p 16o255p'
bc -l < sums
bc < sums
echo one two
echo -e 'a\tb\0101'
printf '%s|%5d|%-8s|%x|%o|%c|%e\n' text 42 left 255 8 z 3.14159
printf '%b\n' 'a\tb'
test 3 -gt 2
test -d tree
test -f nowhere
[ 1 -eq 2 ]
expr 3 '*' '(' 4 + 5 ')'
expr abcdef : 'abc\(.*\)'
expr length kernel
expr 7 / 0
base64 binary
base64 -d < encoded
uuencode -m text name < text
uuencode name < binary
uudecode -o decoded encoded.uu
cal 2 2024
cal -y 1999
date -u -d @1600000000
date -u -d @0 +%Y-%m-%dT%H:%M:%S%z_%j_%U_%a_%B
date -u -d '2024-02-29 12:34:56' +%s
date -u -r text
ls tree
ls -la tree
ls -lR tree
ls -1F tree/a
ls -ln nowhere
ls -lS .
stat -c '%n %s %a %F %h %u %g %Y' text tree tree/a/link
stat -c '%A %U %G %N' tree/two.h tree/dangling
du -b text binary
basename /a/b/c.txt .txt
dirname /a/b/c.txt
realpath tree/a/link tree/../text
readlink tree/dangling
readlink -f tree/a/link
pwd
cp text copy
cp -a tree copy
cp -r tree/a copy
mv text renamed
mv tree renamed
rm text
rm -r tree
rm nowhere
rmdir tree/empty
rmdir tree
mkdir -p x/y/z
mkdir -m 700 private
ln text hard
ln -s text soft
ln text other
touch -d '2001-02-03 04:05:06' text
touch created
chmod 600 text
chmod -R u=rwX,go= tree
chmod +x nowhere
truncate -s 1000 text
truncate -s 1M sparse
fallocate -l 5000 big
tee copy < text
dd if=binary of=copy bs=1000 count=7 skip=3 status=none
dd if=/dev/zero of=copy bs=4096 count=3 status=none
paste text other
shred -n 1 -z -u other
shuf -e one
strings -n 5 binary
ed -s other < edits
patch old < patch
dos2unix dos
unix2dos other
id
whoami
groups
id -u guest
uname -s -m
env
env -i A=1 B=2 env
env show inside
chroot / show inside
which ls cat
sleep 0
usleep 1000
true
false
getopt -o ab:c -- -a -b x y -c
ascii
nice show nice
run-parts --test tree
ipcalc -n -b -m 192.168.5.77/20
hostid --help
mkpasswd -m sha512 -S saltsalt password
tty
install --help
link text linked
unlink text
nosuch-applet
ls --nosuch-option
`;

function parseCase(line: string): { program: string[]; input: string | undefined } {
  const [command = "", input] = line.split(" < ");
  const words = (command.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'(.*)'$/, "$1"));
  return { program: ["/bin/busybox", ...words], input };
}

/** Shows that it was started, and with what; position-independent. */
const SHOW =
  "#include <stdio.h>\nint main(int n, char **a) { for (int i = 0; i < n; i++) puts(a[i]); return n > 9; }\n";

/** What some cases need beside the generated data. */
function prepare(root: string): void {
  const work = join(root, "work");
  mkdirSync(join(work, "out"));
  const write = (name: string, text: string | Buffer) => writeFileSync(join(work, name), text);
  write("show.c", SHOW);
  copyFileSync(compile(join(work, "show.c"), "glibc", ["-static-pie", "-fPIE"]), join(root, "bin/show"));
  write("sums", "scale=30\n4*a(1)\ne(1)\n2^200\n10/3\nsqrt(2)\nfor(i=0;i<5;i++)i^3\n");
  write("edits", "1d\n2s/a/A/\n$a\nthe end\n.\n1,3p\nw\nq\n");
  write("patch", "--- old\n+++ old\n@@ -0,0 +1 @@\n+a first line\n");
  write("names", "text\ntree\ntree/one.c\n");
  write("encoded", `${readFileSync(join(work, "binary")).toString("base64")}\n`);
  write("encoded.uu", "begin 644 name\n+:&5L;&\\@=V]R;&0\n`\nend\n");
  write("sums.md5", "d41d8cd98f00b204e9800998ecf8427e  empty\n00000000000000000000000000000000  text\n");
}

describeWith(requirements, "busybox does what it does on the host:", () => {
  for (const line of CASES.trim().split("\n")) {
    it(line, async () => {
      const { program, input } = parseCase(line);
      await expectSameAsHost(program, { prepare, ...(input !== undefined && { inputFile: input }) });
    });
  }

  // What is different on every machine is at least there, and in the applet's own form.
  it.each([
    ["ps", /^PID +USER +COMMAND\n/],
    ["df", /^Filesystem +1K-blocks +Used Available Use% Mounted on\n(.*\n)*.* \/\n/],
    ["free", /^ +total +used +free +shared +buff\/cache +available\nMem: +\d+ +\d+/],
    ["uptime", /^ \d\d:\d\d:\d\d up .*load average: /],
    ["date", /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d UTC \d{4}\n$/],
    ["nproc", /^\d+\n$/],
    ["mount", / on \/ type /],
    ["hostname", /^\S+\n$/],
    ["uname -a", /^Linux \S+ \d+\.\d+\S* .* x86_64 GNU\/Linux\n$/],
    ["mktemp", /^\/tmp\/tmp\.\w{6}\n$/],
    ["dmesg", /^/],
  ])("%s", async (command, expected) => {
    const root = createRoot();
    try {
      const outcome = await runOnOsvVm(["/bin/busybox", ...command.split(" ")], { root });
      expect(outcome.stderr.toString()).toBe("");
      expect(outcome.stdout.toString()).toMatch(expected);
      expect(outcome.status).toBe(0);
    } finally {
      removeRoot(root);
    }
  });
});
