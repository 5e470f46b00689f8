/**
 * Writes C programs with very many functions of varied work: code that no cache holds, as compilers, browsers and
 * databases have it. A loop of ten instructions flatters every emulator; this does not.
 */

import { createRandom } from "./random.ts";

/** Functions that others call, so that not all calls are indirect. */
const LEAVES = 16;

/** Statements in one function, of which gcc -O2 makes about 50 executed instructions. */
const LEAST_STATEMENTS = 4;
const MORE_STATEMENTS = 7;

const VARIABLES = ["a", "b", "c", "d"] as const;

type Random = () => number;

const pick = <T>(random: Random, from: readonly T[]): T => from[random() % from.length];
const shift = (random: Random) => 1 + (random() % 31);
const constant = (random: Random) => `0x${random().toString(16)}u`;

/** Kinds of work; the ones that programs do most stand there several times. */
const STATEMENTS: readonly ((random: Random, x: string, y: string, z: string) => string)[] = [
  (random, x, y, z) => `${x} = ${y} * ${constant(random)} + ${z};`,
  (random, x, y) => `${x} ^= ${y} >> ${shift(random)};`,
  (random, x, y, z) => `${x} += (${y} << ${shift(random)}) - ${z};`,
  (random, x, y) => `${x} = ${y} >> ${shift(random)} | ${y} << ${shift(random)};`,
  (random, x, y) => `${x} += s->words[(${y} >> ${shift(random)}) & 511];`,
  (random, x, y) => `${x} ^= s->words[(${y} ^ ${random() % 512}) & 511];`,
  (random, x, y) => `${x} += s->bytes[(${y} >> ${shift(random)}) & 4095];`,
  (random, x, y) => `s->words[(${y} >> ${shift(random)}) & 511] = ${x};`,
  (random, x, y) => `s->bytes[(${y} >> ${shift(random)}) & 4095] = (uint8_t)${x};`,
  (random, x, y) => `s->counts[${random() % 64}] += (uint32_t)(${x} ^ ${y});`,
  (random, x, y, z) => `if (${y} & ${1 << (random() % 12)}) ${x} += ${constant(random)}; else ${z} ^= ${x};`,
  (random, x, y, z) =>
    `if ((uint32_t)${x} < ${constant(random)}) { ${y} += ${z}; ${z} ^= ${random() % 999}; }`,
  (_random, x, y, z) => `${x} = ${y} < ${z} ? ${z} - ${y} : ${x} + 1;`,
  (random, x, y, z) => `${x} = (uint32_t)${y} * ${constant(random)} + (uint32_t)${z};`,
  (random, x, y) => `${x} = (uint64_t)(int64_t)(int16_t)${y} + ${random() % 4096};`,
  (random, x, y) =>
    `for (int i = 0; i < ${2 + (random() % 3)}; i++) ${x} = ${x} * 31 + s->bytes[(${y} + i) & 4095];`,
  (random, x, y) => `${x} += leaf${random() % LEAVES}(${y}, s);`,
  (random, x, y) => `${x} ^= ${y} / ${3 + (random() % 1000)}u;`,
  (random, x, y) => `${x} += (uint64_t)(int64_t)((double)(int32_t)${y} * ${1 + (random() % 9)}.5);`,
];

function body(random: Random, count: number): string {
  return Array.from({ length: count }, () => {
    const [x, y, z] = [0, 1, 2].map(() => pick(random, VARIABLES));
    return `  ${pick(random, STATEMENTS)(random, x, y, z)}\n`;
  }).join("");
}

const HEAD = `#include <stdint.h>
struct state { uint64_t words[512]; uint8_t bytes[4096]; uint32_t counts[64]; };
`;

/** @returns so many functions, `f0` and on; nothing but those is seen from outside */
export function functionsSource(count: number): string {
  const random = createRandom(count);
  const leaves = Array.from(
    { length: LEAVES },
    (_, index) =>
      `__attribute__((noinline)) static uint64_t leaf${index}(uint64_t a, struct state *s) {\n` +
      `  return (a ^ s->words[a >> ${50 + (index % 5)} & 511]) * ${constant(random)};\n}\n`,
  );
  const functions = Array.from({ length: count }, (_, index) => {
    const statements = LEAST_STATEMENTS + (random() % MORE_STATEMENTS);
    return (
      `uint64_t f${index}(uint64_t a, struct state *s) {\n` +
      `  uint64_t b = a * ${constant(random)}, c = a >> ${shift(random)}, d = ${constant(random)};\n` +
      `${body(random, statements)}  return a ^ b ^ c ^ d;\n}\n`
    );
  });
  return [HEAD, ...leaves, ...functions].join("");
}

/** A prime that divides no count used here: its multiples modulo the count are a permutation. */
const STRIDE = 7919;

/**
 * @returns the main program over functions of these names: with the argument CALLS it calls random ones, with CALLS and
 * `once` each in turn, in an order that is not that of their addresses
 */
export function mainSource(names: readonly string[]): string {
  return `${HEAD}#include <stdio.h>
#include <stdlib.h>
typedef uint64_t function(uint64_t a, struct state *s);
extern function ${names.join(",\n")};
static function *const functions[] = {
${names.join(",\n")}
};
int main(int argc, char **argv) {
  static struct state s;
  uint64_t calls = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, seed = 1, a = 1;
  int once = argc > 2;
  for (int i = 0; i < 512; i++) s.words[i] = i * 0x9e3779b97f4a7c15u;
  for (uint64_t i = 0; i < calls; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t index = once ? i * ${STRIDE} % ${names.length} : (seed >> 33) % ${names.length};
    a = functions[index](a ^ i, &s);
  }
  for (int i = 0; i < 64; i++) a = a * 31 + s.counts[i];
  printf("%016llx\\n", (unsigned long long)a);
}
`;
}
