import { beforeEach, describe, expect, it } from "vitest";
import { textWidth } from "./character-width.ts";
import { History } from "./history.ts";
import { type Completion, columnate, type EditResult, LineEditor } from "./line-editor.ts";

/** A terminal that understands what the editor writes, and scrolls never. */
class Screen {
  private cells: string[][] = [];
  row = 0;
  column = 0;
  /** The last column is full and the next character will wrap. */
  private wrapPending = false;

  constructor(public columns: number) {}

  write(text: string): void {
    for (let rest = text; rest !== ""; ) {
      const sequence = rest.startsWith("\x1b") ? /^.\[(\d*)(?:;\d+)?([A-Za-z])/.exec(rest) : null;
      if (sequence !== null) {
        this.control(sequence[2], sequence[1] === "" ? undefined : Number(sequence[1]));
        rest = rest.slice(sequence[0].length);
      } else {
        const [character] = rest;
        this.put(character);
        rest = rest.slice(character.length);
      }
    }
  }

  private control(letter: string, parameter: number | undefined): void {
    this.wrapPending = false;
    if (letter === "A") this.row -= parameter ?? 1;
    else if (letter === "C") this.column = Math.min(this.columns - 1, this.column + (parameter ?? 1));
    else if (letter === "H") this.row = this.column = 0;
    else if (letter === "J" && parameter === 2) this.cells = [];
    else if (letter === "J") {
      this.cells.length = this.row + 1;
      this.cells[this.row] = (this.cells[this.row] ?? []).slice(0, this.column);
    } else throw new Error(`unknown sequence ESC [ ${parameter} ${letter}`);
    if (this.row < 0) throw new Error("above the top");
  }

  private put(character: string): void {
    if (character === "\r") {
      this.column = 0;
      this.wrapPending = false;
    } else if (character === "\n") {
      this.row++;
      this.wrapPending = false;
    } else if (character !== "\x07") {
      const width = textWidth(character);
      if (width === 0) {
        const row = this.cells[this.row];
        let at = this.wrapPending ? this.column : this.column - 1;
        while (row[at] === "") at--;
        row[at] += character;
        return;
      }
      if (this.wrapPending || this.column + width > this.columns) {
        this.row++;
        this.column = 0;
        this.wrapPending = false;
      }
      this.cells[this.row] ??= [];
      const row = this.cells[this.row];
      while (row.length < this.column) row.push(" ");
      row[this.column] = character;
      if (width === 2) row[this.column + 1] = "";
      this.column += width;
      if (this.column === this.columns) {
        this.column--;
        this.wrapPending = true;
      }
    }
  }

  get text(): string {
    return Array.from(this.cells, (row) => (row ?? []).join("").trimEnd())
      .join("\n")
      .trimEnd();
  }

  get cursor(): [number, number] {
    return [this.row, this.column];
  }
}

const KEYS: Readonly<Record<string, string>> = {
  Left: "\x1b[D",
  Right: "\x1b[C",
  Up: "\x1b[A",
  Down: "\x1b[B",
  Home: "\x1b[H",
  End: "\x1b[F",
  Delete: "\x1b[3~",
  Backspace: "\x7f",
  Enter: "\r",
  Tab: "\t",
  CtrlLeft: "\x1b[1;5D",
  CtrlRight: "\x1b[1;5C",
};

let screen: Screen;
let history: History;
let editor: LineEditor;
let completions: (line: string, cursor: number) => Completion;

function type(...keys: string[]): EditResult | undefined {
  let result: EditResult | undefined;
  for (const key of keys) {
    const bytes =
      KEYS[key] ??
      key
        .replace(/^C-(.)$/, (_, c: string) => String.fromCharCode(c.charCodeAt(0) & 31))
        .replace(/^M-/, "\x1b");
    result = editor.feed(new TextEncoder().encode(bytes)) ?? result;
  }
  return result;
}

function open(columns = 20): void {
  screen = new Screen(columns);
  history = new History();
  completions = () => ({ start: 0, candidates: [] });
  editor = new LineEditor({
    history,
    columns: () => screen.columns,
    write: (text) => screen.write(text),
    complete: (line, cursor) => completions(line, cursor),
  });
  editor.start("$ ");
}

/** What the screen has to show for a line, and where the cursor has to be. */
function expectScreen(line: string, cursor: number): void {
  const fresh = new Screen(screen.columns);
  fresh.write(`$ ${line}`);
  const before = new Screen(screen.columns);
  before.write(`$ ${[...line].slice(0, cursor).join("")}`);
  expect(screen.text).toBe(fresh.text);
  // Behind a full row the cursor is at the beginning of the next.
  before.write("x");
  screen.write("x");
  expect(screen.cursor).toEqual(before.cursor);
}

describe("the line editor", () => {
  beforeEach(() => open());

  it("returns what was typed", () => {
    expect(type("hello", "Enter")).toEqual({ kind: "line", text: "hello" });
    expect(screen.text).toBe("$ hello");
  });

  it("moves and inserts", () => {
    expect(type("bd", "Left", "c", "Home", "a", "End", "e", "C-a", "C-f", "C-b", "Enter")).toEqual({
      kind: "line",
      text: "abcde",
    });
  });

  it("removes characters, words and the rest of the line, and puts back what was killed", () => {
    type("one two three", "C-w", "C-w");
    expect(editor.line).toBe("one ");
    type("C-y");
    expect(editor.line).toBe("one two three");
    type("C-a", "C-k", "C-y", "C-y");
    expect(editor.line).toBe("one two threeone two three");
    type("C-u", "abc def-ghi", "M-\x7f");
    expect(editor.line).toBe("abc def-");
    type("CtrlLeft", "CtrlLeft", "M-d", "Delete");
    expect(editor.line).toBe("def-");
    type("End", "Backspace", "Left", "C-t", "C-d");
    expect(editor.line).toBe("dfe");
  });

  it("ends at C-d only when the line is empty, and is interrupted by C-c", () => {
    expect(type("a", "Left", "C-d", "C-d")).toEqual({ kind: "end" });
    editor.start("$ ");
    expect(type("abc", "C-c")).toEqual({ kind: "interrupt" });
    expect(screen.text).toMatch(/abc\^C$/);
  });

  it("keeps the keys that come after the end of a line", () => {
    expect(editor.feed(new TextEncoder().encode("one\rtwo\rthr"))).toEqual({ kind: "line", text: "one" });
    expect(editor.start("$ ")).toEqual({ kind: "line", text: "two" });
    expect(editor.start("$ ")).toBeUndefined();
    expect(editor.line).toBe("thr");
  });

  it("goes through the history and remembers changes until a line is entered", () => {
    for (const line of ["first", "second", "second", " "]) history.add(line);
    editor.start("$ ");
    type("new", "Up");
    expect(editor.line).toBe("second");
    type("!", "Up");
    expect(editor.line).toBe("first");
    type("Up", "Down");
    expect(editor.line).toBe("second!");
    type("Down");
    expect(editor.line).toBe("new");
  });

  it("searches the history backwards", () => {
    for (const line of ["make all", "ls", "make clean"]) history.add(line);
    editor.start("$ ");
    type("C-r", "ma");
    expect(screen.text).toContain("(reverse-i-search)`ma': make clean".slice(0, 20));
    type("C-r");
    expect(editor.line).toBe("make all");
    type("C-r");
    expect(screen.text).toContain("(failed reverse-i-se");
    expect(type("Enter")).toEqual({ kind: "line", text: "make all" });
    editor.start("$ ");
    type("kept", "C-r", "ls", "C-g");
    expect(editor.line).toBe("kept");
  });

  it("completes what is common, then lists", () => {
    open(40);
    completions = () => ({
      start: 3,
      candidates: ["alpha ", "alphabet ", "alpine/"].map((text) => ({ text, label: text.trim() })),
    });
    type("cd a", "Tab");
    expect(editor.line).toBe("cd alp");
    type("Tab", "Tab");
    expect(screen.text).toBe("$ cd alp\nalpha  alphabet  alpine/\n$ cd alp");
    completions = () => ({ start: 3, candidates: [{ text: "alphabet ", label: "alphabet" }] });
    type("Tab");
    expect(editor.line).toBe("cd alphabet ");
  });

  it("asks before it lists many", () => {
    open(40);
    completions = () => ({
      start: 0,
      candidates: Array.from({ length: 150 }, (_, i) => ({ text: `x${i}`, label: `x${i}` })),
    });
    type("x", "Tab", "Tab");
    expect(screen.text).toContain("Display all 150 possibilities? (y or n)");
    type("q", "n", "1");
    expect(editor.line).toBe("x1");
  });

  it("keeps characters of several bytes whole, also when they come in pieces", () => {
    const bytes = new TextEncoder().encode("ä€😀");
    for (const byte of bytes) editor.feed(Uint8Array.of(byte));
    expect(editor.line).toBe("ä€😀");
    type("Left", "Backspace");
    expect(editor.line).toBe("ä😀");
  });

  it("shows control characters of the history as ^X", () => {
    history.add("a\x01b");
    editor.start("$ ");
    type("Up");
    expect(screen.text).toBe("$ a^Ab");
  });

  it("paints again when the terminal becomes narrower or wider", () => {
    open(40);
    type("0123456789012345678901234567890123456789012345", "Home");
    const line = editor.line;
    const narrow = new Screen(25);
    narrow.write(`$ ${line}`);
    // A terminal that wraps again leaves the cursor on its character.
    narrow.row = 0;
    narrow.column = 2;
    screen = narrow;
    editor.resize();
    expectScreen(line, 0);
  });

  it("shows the right thing after any keys, at any width", () => {
    let state = 99;
    const pick = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    const texts = ["a", "b ", "xyz", "日本", "é", "e\u0301", "😀", "-", "0123456789"];
    const keys = [
      "Left",
      "Right",
      "Home",
      "End",
      "Backspace",
      "Delete",
      "CtrlLeft",
      "CtrlRight",
      "C-w",
      "C-y",
      "C-t",
      "C-k",
    ];
    for (let round = 0; round < 60; round++) {
      open(5 + pick(30));
      let cursor = 0;
      const line: string[] = [];
      for (let step = 0; step < 30; step++) {
        const key = pick(3) > 0 ? texts[pick(texts.length)] : keys[pick(keys.length)];
        if (screen.columns < 12 && line.length > 60) break;
        type(key);
        // The editor's own idea of the line is checked above; here what it shows has to agree with it.
        line.splice(0, line.length, ...editor.line);
        cursor = editor.position;
      }
      expectScreen(editor.line, cursor);
    }
  });
});

describe("columns", () => {
  it("are filled downwards, as narrow as they can be", () => {
    expect(columnate(["a", "bb", "ccc", "d", "e"], 12)).toBe("a   ccc  e\nbb  d\n");
    expect(columnate(["a", "b"], 80)).toBe("a  b\n");
    expect(columnate(["too long for it"], 5)).toBe("too long for it\n");
    expect(columnate([], 80)).toBe("");
  });
});
