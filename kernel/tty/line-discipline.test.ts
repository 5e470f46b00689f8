import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Line, LineDiscipline } from "./line-discipline.ts";
import { ControlCharacter, InputFlag, LocalFlag, OutputFlag, Termios } from "./termios.ts";

type Flags = [input: number, output: number, local: number];
type Step = ["keys", string] | ["write", string] | ["read", number] | ["set", Flags] | ["flush"];
interface Case {
  termios: Flags;
  cc: Record<number, number>;
  steps: Step[];
}
type Outcome = [screen: string, result: number | string | null, pending: number];

/** The same script on our line discipline. */
function play({ termios: flags, cc, steps }: Case): Outcome[] {
  const termios = new Termios();
  let screen: number[] = [];
  const line: Line = {
    room: () => 65536,
    put: (bytes) => screen.push(...bytes),
    signal: () => {},
    flushOutput: () => {
      screen = [];
    },
    inputChanged: () => {},
    inputFlushed: () => {},
    flowChanged: () => {},
  };
  const discipline = new LineDiscipline(termios, line);
  const set = ([input, output, local]: Flags): void => {
    const old = { inputFlags: termios.inputFlags, localFlags: termios.localFlags };
    termios.inputFlags = input;
    termios.outputFlags = output;
    termios.localFlags = local;
    discipline.attributesChanged(old);
  };
  for (const [index, value] of Object.entries(cc)) termios.characters[Number(index)] = value;
  set(flags);
  let held = new Uint8Array(0);
  return steps.map((step) => {
    let result: number | string | null = null;
    if (step[0] === "keys") {
      const keys = Buffer.from(step[1], "hex");
      result = keys.length;
      held = Buffer.concat([held, keys]);
    } else if (step[0] === "write") {
      const n = discipline.write(Buffer.from(step[1], "hex"));
      result = n === 0 && step[1] !== "" ? "EAGAIN" : n;
    } else if (step[0] === "read") {
      const buffer = Buffer.alloc(step[1]);
      const raw = !discipline.isCanonical && termios.characters[ControlCharacter.VMIN] === 0;
      result =
        discipline.available() || raw
          ? buffer.subarray(0, discipline.read(buffer)).toString("hex")
          : "EAGAIN";
    } else if (step[0] === "set") {
      set(step[1]);
    } else {
      discipline.flushInput();
      held = new Uint8Array(0);
    }
    held = held.subarray(discipline.receive(held));
    const shown = Buffer.from(screen).toString("hex");
    screen = [];
    return [shown, result, discipline.readable];
  });
}

const oracle = fileURLToPath(new URL("pty-oracle.py", import.meta.url));

/** `pause`: milliseconds that the host's kernel gets to pass keys on, which it does in the background. */
function playOnHost(cases: Case[], pause: number): Outcome[][] {
  const run = spawnSync("python3", [oracle, String(pause)], {
    input: JSON.stringify(cases),
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (run.status !== 0) throw new Error(`pty-oracle.py: ${run.stderr}`);
  return JSON.parse(run.stdout);
}

/** mulberry32: small, seeded, good enough to choose test cases. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const KEYS = [
  "a",
  "b",
  "_",
  "X",
  "9",
  " ",
  "-",
  "\t",
  "\n",
  "\r",
  "\x7f",
  "\x7f",
  "\x17",
  "\x15",
  "\x04",
  "\x16",
  "\x12",
  "\x03",
  "\x1c",
  "\x1a",
  "\x13",
  "\x11",
  "\x08",
  "\x01",
  "\x1b",
  "ä",
  "€",
  "😀",
  "\x80",
  "hello",
  "foo bar",
  "\t\t",
  ";",
  "|",
];
const INPUT = [
  InputFlag.ISTRIP,
  InputFlag.INLCR,
  InputFlag.IGNCR,
  InputFlag.ICRNL,
  InputFlag.IUCLC,
  InputFlag.IXON,
  InputFlag.IXANY,
  InputFlag.IUTF8,
  InputFlag.PARMRK,
];
const OUTPUT = [
  OutputFlag.OLCUC,
  OutputFlag.ONLCR,
  OutputFlag.OCRNL,
  OutputFlag.ONOCR,
  OutputFlag.ONLRET,
  OutputFlag.XTABS,
];
const LOCAL = [
  LocalFlag.ISIG,
  LocalFlag.ECHO,
  LocalFlag.ECHOE,
  LocalFlag.ECHOK,
  LocalFlag.ECHONL,
  LocalFlag.NOFLSH,
  LocalFlag.ECHOCTL,
  LocalFlag.ECHOPRT,
  LocalFlag.ECHOKE,
  LocalFlag.IEXTEN,
];
const NORMAL: Flags = [
  InputFlag.ICRNL | InputFlag.IXON | InputFlag.IUTF8,
  OutputFlag.OPOST | OutputFlag.ONLCR,
  LocalFlag.ISIG |
    LocalFlag.ICANON |
    LocalFlag.ECHO |
    LocalFlag.ECHOE |
    LocalFlag.ECHOK |
    LocalFlag.ECHOCTL |
    LocalFlag.ECHOKE |
    LocalFlag.IEXTEN,
];

function randomCase(pick: (below: number) => number): Case {
  const subset = (flags: number[], base: number, flip: number): number =>
    flags.reduce((sum, flag) => (pick(flip) === 0 ? sum ^ flag : sum), base);
  const flags = (): Flags => [
    subset(INPUT, NORMAL[0], 4),
    subset(OUTPUT, NORMAL[1], 5) ^ (pick(6) === 0 ? OutputFlag.OPOST : 0),
    subset(LOCAL, NORMAL[2], 5) ^ (pick(4) === 0 ? LocalFlag.ICANON : 0),
  ];
  const text = (n: number): string =>
    Buffer.from(Array.from({ length: n }, () => KEYS[pick(KEYS.length)]).join("")).toString("hex");
  const steps = Array.from({ length: 4 + pick(10) }, (): Step => {
    const kind = pick(20);
    if (kind < 10) return ["keys", text(1 + pick(12))];
    if (kind < 12) return ["write", text(1 + pick(8))];
    if (kind < 18) return ["read", [1, 2, 5, 100, 5000][pick(5)]];
    return kind === 18 ? ["set", flags()] : ["flush"];
  });
  const cc: Record<number, number> = {};
  if (pick(4) === 0) cc[ControlCharacter.VEOL] = 59;
  if (pick(4) === 0) cc[ControlCharacter.VEOL2] = 124;
  if (pick(8) === 0) cc[ControlCharacter.VERASE] = 8;
  if (pick(8) === 0) cc[ControlCharacter.VMIN] = 0;
  return { termios: flags(), cc, steps };
}

/** Milliseconds, from hopeful to patient. */
const PAUSES = [1, 10, 50, 200];

const hasOracle = spawnSync("python3", ["-c", "import pty"]).status === 0;
if (!hasOracle) console.warn("line-discipline.test.ts: no python3, not compared with the host's terminals");

describe.skipIf(!hasOracle && process.env.CI !== "true")(
  "the line discipline, compared with the host's",
  () => {
    const agrees = (each: Case, expected: Outcome[]): boolean =>
      JSON.stringify(play(each)) === JSON.stringify(expected);

    const compare = (cases: Case[]): void => {
      let left = cases;
      let expected: Outcome[][] = [];
      // A busy host may have been too slow for us to see everything: what differs gets another, slower look.
      for (const pause of PAUSES) {
        expected = playOnHost(left, pause);
        const differ = left.map((each, i) => !agrees(each, expected[i]));
        left = left.filter((_, i) => differ[i]).slice(0, 4);
        expected = expected.filter((_, i) => differ[i]);
        if (left.length === 0) return;
      }
      const [each] = left;
      const outcome = play(each);
      const step = outcome.findIndex(
        (result, at) => JSON.stringify(result) !== JSON.stringify(expected[0][at]),
      );
      const report = { ...each, steps: each.steps.slice(0, step + 1), earlier: outcome.slice(0, step) };
      expect({ ...report, result: outcome[step] }).toEqual({ ...report, result: expected[0][step] });
    };

    const keys = (text: string): Step => ["keys", Buffer.from(text, "latin1").toString("hex")];

    it("edits lines as a person types them", () => {
      const typed = [
        "hello\x7f\x7fp!\n",
        "one two three\x17\x17x\n",
        "gone\x15kept\n",
        "\x16\x03quoted\n",
        "a\tb\x7f\x7fc\n",
        "abc\x12d\n",
        "no newline\x04",
        "\x04",
        "\x01\x7f\x02\n",
        "\xc3\xa4\xe2\x82\xac\x7f\x7fz\n",
        "abc\x03def\n",
        "stop\x13 and go\x11\n",
      ];
      compare([
        { termios: NORMAL, cc: {}, steps: typed.flatMap((text): Step[] => [keys(text), ["read", 100]]) },
      ]);
    });

    it("ends a read at an end of file and never shows it twice", () => {
      compare([
        {
          termios: NORMAL,
          cc: {},
          steps: [keys("abc\x04def\x04\x04"), ["read", 3], ["read", 3], ["read", 3], ["read", 3]],
        },
        {
          termios: NORMAL,
          cc: {},
          steps: [keys("abc\ndef\n"), ["read", 2], ["read", 2], ["read", 9], ["read", 9]],
        },
      ]);
    });

    it("keeps the first 4,095 bytes of a line that is too long", () => {
      const long = "x".repeat(3000);
      compare([
        {
          termios: NORMAL,
          cc: {},
          steps: [keys(long), keys(long), keys("yz\n"), ["read", 5000], keys("next\n"), ["read", 5000]],
        },
        {
          termios: [0, 0, 0],
          cc: {},
          steps: [keys(long), keys(long), ["read", 5000], ["read", 5000], ["read", 5000]],
        },
        {
          termios: NORMAL,
          cc: {},
          steps: [
            keys(`${"line\n".repeat(700)}`),
            keys(`${"line\n".repeat(700)}`),
            ["read", 100],
            ["read", 100],
            ["flush"],
            ["read", 100],
          ],
        },
      ]);
    });

    it("agrees on 500 random sessions", () => {
      const pick = random(20261123);
      compare(Array.from({ length: 500 }, () => randomCase(pick)));
    });
  },
);
