/** busybox ash runs scripts that need no fork: functions, loops, arithmetic, here-documents, builtins. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "vitest";
import { expectSameAsHost } from "../harness/compare.ts";
import { describeWith } from "../harness/requirements.ts";
import { missingBusybox } from "../harness/root.ts";

const SCRIPTS: Record<string, string> = {
  "computes Fibonacci numbers in a recursive function": `
    fib() {
      if [ "$1" -lt 2 ]; then result=$1; return; fi
      fib $(($1 - 1)); set -- "$1" "$result"
      fib $(($1 - 2)); result=$((result + $2))
    }
    for n in 0 1 2 3 4 5 6 7; do fib $n; echo "fib $n = $result"; done`,

  "sieves primes with nested loops": `
    n=2
    while [ $n -lt 60 ]; do
      i=2 prime=1
      while [ $((i * i)) -le $n ]; do
        if [ $((n % i)) -eq 0 ]; then prime=0; break; fi
        i=$((i + 1))
      done
      [ $prime -eq 1 ] && printf '%d ' $n
      n=$((n + 1))
    done; echo`,

  "does arithmetic in 64 bits": `
    echo $((1 << 62)) $((0x7fffffffffffffff + 1)) $((-7 / 2)) $((-7 % 3)) $((5 > 3 ? 010 : 0x10))
    x=5; echo $((x++ + ++x)) $x $((x *= 3, x - 1)) $((~x & 0xff)) $((x ^ 3 | 8))`,

  "reads here-documents": `
    name=world
    while read -r first rest; do echo "[$first|$rest]"; done <<END
    hello $name and \\$name
      indented $((6 * 7))
END
    while read -r line; do echo "$line"; done <<'END'
    $name is not expanded
END`,

  "reads a file line by line": `
    lines=0 longest=
    while read -r line; do
      lines=$((lines + 1))
      [ \${#line} -gt \${#longest} ] && longest=$line
    done < text
    echo "$lines: $longest"`,

  "expands parameters": `
    path=/usr/local/lib/libfoo.so.1
    echo "\${path##*/}" "\${path%/*}" "\${path%%.*}" "\${path#/*/}" "\${#path}"
    unset none; echo "\${none:-default}" "\${none:=assigned}" "$none" "\${none:+set}"
    echo "\${path/lib/LIB}" "\${path//lib/LIB}" "\${path:5:5}"
    set -- one "two words" three; echo "$#" "$*" "$2"; shift; echo "$@"; IFS=:; echo "$*"`,

  "matches with case and globs": `
    for file in *.c tree/*.c tree/a/* no-such-*; do
      case $file in
        *.c) echo "$file: C" ;;
        */link|*/[bc]) echo "$file: link or directory" ;;
        no-such-\\*) echo "no match" ;;
        *) echo "$file: other" ;;
      esac
    done`,

  "redirects builtins to files and back": `
    echo first > out.txt; echo second >> out.txt
    { echo grouped; echo error >&2; } >> out.txt 2>&1
    exec 3< out.txt; read -r a <&3; read -r b <&3; exec 3<&-
    echo "$a $b"; read -r c < out.txt; echo "$c"
    exec 4> other.txt; echo four >&4; exec 4>&-; read -r d < other.txt; echo $d
    set -C; echo x > out.txt || echo "noclobber: $?"`,

  "handles traps, exit and return statuses": `
    trap 'echo leaving with $?' EXIT
    trap 'echo usr1' USR1
    kill -USR1 $$
    false; echo $?; ! false; echo $?
    f() { return 42; }; f; echo $?
    nosuchcommand; echo $?
    exit 3`,

  "tests files and strings": `
    for t in -e -f -d -s -L -x -r; do
      for f in text empty tree tree/a/link nowhere; do [ $t $f ] && printf '%s %s; ' $t $f; done
    done; echo
    [ abc \\< abd ] && echo less; [ text -nt nowhere ] && echo newer; [ tree/one.c -ef tree/hard ] && echo same
    [ 10 -gt 9 ] && [ ! a = b -a c = c ] && echo and`,

  "getopts, eval, local, printf, umask, alias and type": `
    while getopts ab:c opt -a -b value -c rest; do echo "$opt $OPTARG"; done
    f() { local x=inner; eval "y=\\$x"; echo $x $y; }; x=outer; f; echo $x
    printf '%05d %5.2f %-6s| %x %q\\n' 42 3.14159 ab 255 'a b' 2>&1
    umask 027; echo > created; umask; type echo cd f; echo \${PWD}; cd tree/a; pwd; cd - ; pwd -P`,

  "stops at the first error with set -e": `
    set -e; echo before; false || echo saved; false; echo never`,

  "stops at an unset name with set -u": `
    set -u; echo "\${HOME}" "\${none-}"; echo "$none"; echo never`,
};

describeWith([missingBusybox()], "an ash script", () => {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    it(name, async () => {
      const text = script.replaceAll(/^ {4}/gm, "");
      await expectSameAsHost(["/bin/busybox", "sh", "script.sh"], {
        prepare: (root) => writeFileSync(join(root, "work/script.sh"), text),
      });
    });
  }

  it("comes from standard input", async () => {
    await expectSameAsHost(["/bin/busybox", "sh"], {
      input: "echo from stdin\nread line\nthe line\necho $line\nexit 7\n",
    });
  });

  it("comes from -c, with arguments", async () => {
    await expectSameAsHost(["/bin/busybox", "sh", "-c", 'echo "$0" "$1" $#; exit $2', "zero", "one", "2"]);
  });

  it("executes another program in its place", async () => {
    await expectSameAsHost(["/bin/sh", "-c", "export A=1; exec /bin/busybox env"]);
  });
});
