/**
 * Editing one line on a terminal, with the keys of GNU readline's emacs mode: movement, words, kill and yank, history,
 * incremental search (C-r) and completion (Tab). It knows no terminal: keys come in through {@link LineEditor.feed},
 * what is to be shown goes out through `write`.
 */

import { characterWidth, textWidth } from "./character-width.ts";
import type { History } from "./history.ts";
import { type Key, KeyDecoder } from "./keys.ts";

/** What the text before the cursor may become. */
export interface Completion {
  /** Where the completed word begins in the line. */
  readonly start: number;
  /** What it may become, as it has to be typed. */
  readonly candidates: readonly { readonly text: string; readonly label: string }[];
}

export interface LineEditorOptions {
  readonly history: History;
  readonly write: (text: string) => void;
  /** The width of the terminal now. */
  readonly columns: () => number;
  readonly complete?: (line: string, cursor: number) => Completion;
}

export type EditResult =
  | { readonly kind: "line"; readonly text: string }
  /** C-c */
  | { readonly kind: "interrupt" }
  /** C-d on an empty line */
  | { readonly kind: "end" };

const CLEAR_BELOW = "\x1b[J";
const CLEAR_SCREEN = "\x1b[H\x1b[2J";
const BELL = "\x07";
/** More candidates than this are asked about before they are listed. */
const MANY_CANDIDATES = 100;

interface Search {
  text: string;
  /** Index in the history of the line that is shown. */
  found: number | undefined;
  failed: boolean;
  readonly before: { readonly characters: string[]; readonly cursor: number };
}

export class LineEditor {
  private readonly decoder = new KeyDecoder();
  /** Keys that came after the end of a line, for the next one. */
  private queue: Key[] = [];
  private prompt = "";
  /** The line by code points, and the cursor as an index into it. */
  private characters: string[] = [];
  private cursor = 0;
  /** Rows between the first one of the prompt and the one the cursor is on. */
  private cursorRow = 0;
  private historyIndex = 0;
  /** Lines of the history as they were changed and not entered, and the new one. */
  private edited = new Map<number, string>();
  private killed = "";
  private lastWasKill = false;
  private lastWasTab = false;
  private search: Search | undefined;
  /** The number of candidates was shown; y lists them. */
  private asking: Completion | undefined;

  constructor(private readonly options: LineEditorOptions) {}

  /** Shows a prompt and begins an empty line; keys that are there already may finish it. */
  start(prompt: string): EditResult | undefined {
    this.prompt = prompt;
    this.characters = [];
    this.cursor = 0;
    this.cursorRow = 0;
    this.historyIndex = this.options.history.length;
    this.edited = new Map();
    this.search = undefined;
    this.asking = undefined;
    this.lastWasKill = this.lastWasTab = false;
    this.refresh();
    return this.run();
  }

  /** Keys from the terminal; returns how the line ended, if it did. */
  feed(bytes: Uint8Array): EditResult | undefined {
    this.queue.push(...this.decoder.decode(bytes));
    return this.run();
  }

  /** The terminal has another width, and has wrapped again what it shows. */
  resize(): void {
    this.cursorRow = this.cursorPlace().row;
    this.refresh();
  }

  get line(): string {
    return this.characters.join("");
  }

  /** The cursor, in characters from the beginning of the line. */
  get position(): number {
    return this.cursor;
  }

  private run(): EditResult | undefined {
    for (;;) {
      const key = this.queue.shift();
      if (key === undefined) return undefined;
      const result = this.handle(key);
      if (result !== undefined) return result;
    }
  }

  private handle(key: Key): EditResult | undefined {
    if (this.asking !== undefined) return this.answer(key);
    if (this.search !== undefined && this.handleInSearch(key)) return undefined;
    const kill = this.lastWasKill;
    const tab = this.lastWasTab;
    this.lastWasKill = this.lastWasTab = false;
    if (key.kind === "text") {
      this.insert(key.text);
      return undefined;
    }
    switch (key.name) {
      case "Enter":
        return this.finish({ kind: "line", text: this.line }, "");
      case "C-c":
        return this.finish({ kind: "interrupt" }, "^C");
      case "C-d":
        if (this.characters.length === 0) return this.finish({ kind: "end" }, "");
        this.remove(this.cursor, this.cursor + 1);
        break;
      case "Tab":
        this.complete(tab);
        break;
      case "C-k":
        this.kill(this.cursor, this.characters.length, kill, false);
        break;
      case "C-u":
        this.kill(0, this.cursor, kill, true);
        break;
      case "C-w":
        this.kill(this.wordStart(/\s/), this.cursor, kill, true);
        break;
      case "M-Backspace":
        this.kill(this.wordStart(/\W/), this.cursor, kill, true);
        break;
      case "M-d":
        this.kill(this.cursor, this.wordEnd(), kill, false);
        break;
      default:
        this.movements[key.name]?.();
    }
    return undefined;
  }

  /** Keys that neither end the line nor kill text. */
  private readonly movements: Readonly<Record<string, () => void>> = keymap([
    [["Left", "C-b"], () => this.moveTo(this.cursor - 1)],
    [["Right", "C-f"], () => this.moveTo(this.cursor + 1)],
    [["Home", "C-a"], () => this.moveTo(0)],
    [["End", "C-e"], () => this.moveTo(this.characters.length)],
    [["C-Left", "M-b"], () => this.moveTo(this.wordStart(/\W/))],
    [["C-Right", "M-f"], () => this.moveTo(this.wordEnd())],
    [["Backspace"], () => this.remove(this.cursor - 1, this.cursor)],
    [["Delete"], () => this.remove(this.cursor, this.cursor + 1)],
    [["C-y"], () => this.insert(this.killed)],
    [["C-t"], () => this.transpose()],
    [["Up", "C-p"], () => this.recall(this.historyIndex - 1)],
    [["Down", "C-n"], () => this.recall(this.historyIndex + 1)],
    [["C-r"], () => this.startSearch()],
    [["C-l"], () => this.clearScreen()],
  ]);

  private finish(result: EditResult, mark: string): EditResult {
    this.cursor = this.characters.length;
    this.refresh();
    this.options.write(`${mark}\r\n`);
    this.cursorRow = 0;
    if (result.kind === "line") this.options.history.add(result.text);
    return result;
  }

  // ---- changing the line ------------------------------------------------------------------------------------------

  private insert(text: string): void {
    if (text === "") return;
    const added = [...text];
    const atEnd = this.cursor === this.characters.length;
    this.characters.splice(this.cursor, 0, ...added);
    this.cursor += added.length;
    // Typing at the end of a row that has room needs no repainting.
    const { row, column } = this.cursorPlace();
    const simple = atEnd && added.length === 1 && row === this.cursorRow && column > characterWidth(text);
    if (simple && this.search === undefined) this.options.write(text);
    else this.refresh();
  }

  private remove(from: number, to: number): void {
    const start = Math.max(0, from);
    const end = Math.min(this.characters.length, to);
    if (start >= end) {
      this.options.write(BELL);
      return;
    }
    this.characters.splice(start, end - start);
    this.cursor = start;
    this.refresh();
  }

  /** Takes text out for C-y; kills in a row add up. */
  private kill(from: number, to: number, append: boolean, backwards: boolean): void {
    this.lastWasKill = true;
    const text = this.characters.slice(from, to).join("");
    if (!append) this.killed = text;
    else this.killed = backwards ? text + this.killed : this.killed + text;
    if (text !== "") this.remove(from, to);
  }

  private transpose(): void {
    const { characters } = this;
    if (characters.length < 2 || this.cursor === 0) return;
    const right = Math.min(this.cursor, characters.length - 1);
    [characters[right - 1], characters[right]] = [characters[right], characters[right - 1]];
    this.cursor = right + 1;
    this.refresh();
  }

  private moveTo(index: number): void {
    if (index < 0 || index > this.characters.length) return;
    this.cursor = index;
    this.refresh();
  }

  /** Where the word before the cursor begins; `gap` is what separates words. */
  private wordStart(gap: RegExp): number {
    let at = this.cursor;
    while (at > 0 && gap.test(this.characters[at - 1])) at--;
    while (at > 0 && !gap.test(this.characters[at - 1])) at--;
    return at;
  }

  private wordEnd(): number {
    let at = this.cursor;
    const { length } = this.characters;
    while (at < length && /\W/.test(this.characters[at])) at++;
    while (at < length && /\w/.test(this.characters[at])) at++;
    return at;
  }

  private replace(text: string): void {
    this.characters = [...text];
    this.cursor = this.characters.length;
    this.refresh();
  }

  private clearScreen(): void {
    this.options.write(CLEAR_SCREEN);
    this.cursorRow = 0;
    this.refresh();
  }

  private recall(index: number): void {
    const { history } = this.options;
    if (index < 0 || index > history.length) {
      this.options.write(BELL);
      return;
    }
    this.edited.set(this.historyIndex, this.line);
    this.historyIndex = index;
    this.replace(this.edited.get(index) ?? history.at(index) ?? "");
  }

  // ---- searching the history --------------------------------------------------------------------------------------

  private startSearch(): void {
    const before = { characters: this.characters, cursor: this.cursor };
    this.search = { text: "", found: undefined, failed: false, before };
    this.refresh();
  }

  /** Returns false when the key ends the search and means something outside it as well. */
  private handleInSearch(key: Key): boolean {
    const { search } = this;
    if (search === undefined) return false;
    if (key.kind === "text") {
      search.text += key.text;
      this.find(search, (search.found ?? this.options.history.length - 1) + 1);
    } else if (key.name === "Backspace") {
      search.text = [...search.text].slice(0, -1).join("");
      this.find(search, this.options.history.length);
    } else if (key.name === "C-r") {
      this.find(search, search.found ?? this.options.history.length);
    } else if (key.name === "C-g" || key.name === "C-c") {
      this.characters = search.before.characters;
      this.cursor = search.before.cursor;
      this.search = undefined;
    } else {
      this.search = undefined;
      if (search.found !== undefined) this.historyIndex = search.found;
      this.refresh();
      return key.name === "Escape";
    }
    this.refresh();
    return true;
  }

  private find(search: Search, before: number): void {
    const found = search.text === "" ? undefined : this.options.history.search(search.text, before);
    search.failed = search.text !== "" && found === undefined;
    if (found === undefined) return;
    search.found = found;
    const line = this.options.history.at(found) ?? "";
    this.characters = [...line];
    this.cursor = [...line.slice(0, line.indexOf(search.text))].length;
  }

  // ---- completion -------------------------------------------------------------------------------------------------

  private complete(again: boolean): void {
    const { complete } = this.options;
    if (complete === undefined) return;
    const before = this.characters.slice(0, this.cursor).join("");
    const completion = complete(this.line, before.length);
    const { candidates } = completion;
    const typed = before.slice(completion.start);
    if (candidates.length === 0) {
      this.options.write(BELL);
      return;
    }
    const common = commonPrefix(candidates.map(({ text }) => text));
    if (common.length > typed.length || candidates.length === 1) {
      const rest = this.characters.slice(this.cursor).join("");
      this.characters = [...(before.slice(0, completion.start) + common), ...rest];
      this.cursor = [...before.slice(0, completion.start), ...common].length;
      this.refresh();
      return;
    }
    this.lastWasTab = true;
    if (!again) {
      this.options.write(BELL);
    } else if (candidates.length > MANY_CANDIDATES) {
      this.asking = completion;
      this.moveBelow();
      this.options.write(`Display all ${candidates.length} possibilities? (y or n)`);
    } else {
      this.moveBelow();
      this.list(completion);
    }
  }

  private answer(key: Key): undefined {
    const { asking } = this;
    if (asking === undefined) return;
    const yes = key.kind === "text" ? /^[yY ]$/.test(key.text) : key.name === "Tab";
    const no = key.kind === "text" ? /^[nN]$/.test(key.text) : key.name === "Backspace" || key.name === "C-c";
    if (!yes && !no) return;
    this.asking = undefined;
    this.options.write("\r\n");
    if (yes) this.list(asking);
    else this.refresh();
  }

  /** Candidates in columns, down first, as ls does; then the line again. */
  private list({ candidates }: Completion): void {
    this.options.write(
      columnate(
        candidates.map(({ label }) => label),
        this.columns,
      ).replaceAll("\n", "\r\n"),
    );
    this.cursorRow = 0;
    this.refresh();
  }

  private moveBelow(): void {
    const { cursor } = this;
    this.cursor = this.characters.length;
    this.refresh();
    this.options.write("\r\n");
    this.cursorRow = 0;
    this.cursor = cursor;
  }

  // ---- showing it -------------------------------------------------------------------------------------------------

  private get columns(): number {
    return Math.max(2, this.options.columns());
  }

  private get shownPrompt(): string {
    const { search } = this;
    return search === undefined
      ? this.prompt
      : `(${search.failed ? "failed " : ""}reverse-i-search)\`${search.text}': `;
  }

  /** Paints prompt and line again, from the row where the prompt begins. */
  private refresh(): void {
    const prompt = this.shownPrompt;
    const text = prompt + this.characters.map(visible).join("");
    const end = this.place(text);
    const cursor = this.cursorPlace();
    let out = this.cursorRow > 0 ? `\x1b[${this.cursorRow}A` : "";
    out += `\r${CLEAR_BELOW}${text}`;
    // A full row leaves the cursor hanging at its end; this brings it down where we count it.
    if (end.column === 0 && end.row > 0) out += " \r";
    if (cursor.row !== end.row || cursor.column !== end.column) {
      if (end.row > cursor.row) out += `\x1b[${end.row - cursor.row}A`;
      out += "\r";
      if (cursor.column > 0) out += `\x1b[${cursor.column}C`;
    }
    this.cursorRow = cursor.row;
    this.options.write(out);
  }

  private cursorPlace(): { row: number; column: number } {
    return this.place(this.shownPrompt + this.characters.slice(0, this.cursor).map(visible).join(""));
  }

  /** Where the cursor is after a text that starts at the left edge. A wide character does not fit in the last column. */
  private place(text: string): { row: number; column: number } {
    const { columns } = this;
    let row = 0;
    let column = 0;
    for (const character of text) {
      const width = characterWidth(character);
      if (column + width > columns) {
        row++;
        column = 0;
      }
      column += width;
    }
    return column >= columns ? { row: row + 1, column: 0 } : { row, column };
  }
}

function keymap(
  bindings: readonly (readonly [keys: readonly string[], action: () => void])[],
): Record<string, () => void> {
  return Object.fromEntries(bindings.flatMap(([keys, action]) => keys.map((key) => [key, action])));
}

/** Control characters, which can come from the history, are shown as ^X. */
function visible(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x20 || code === 0x7f ? `^${String.fromCharCode(code ^ 0x40)}` : character;
}

function commonPrefix(texts: readonly string[]): string {
  let prefix = texts[0] ?? "";
  for (const text of texts) while (!text.startsWith(prefix)) prefix = prefix.slice(0, -1);
  // Never half of a surrogate pair.
  return /[\ud800-\udbff]$/.test(prefix) ? prefix.slice(0, -1) : prefix;
}

/** Texts in as many columns as fit into `width`, ordered downwards; ends with a line feed. */
export function columnate(texts: readonly string[], width: number): string {
  if (texts.length === 0) return "";
  for (let rows = 1; ; rows++) {
    const columns: string[][] = [];
    for (let i = 0; i < texts.length; i += rows) columns.push(texts.slice(i, i + rows));
    const widths = columns.map((column) => Math.max(...column.map(textWidth)) + 2);
    const total = widths.reduce((sum, each) => sum + each, -2);
    if (total > width && columns.length > 1) continue;
    let out = "";
    for (let row = 0; row < rows; row++) {
      const cells = columns.filter((column) => row < column.length).map((column) => column[row]);
      out += `${cells.map((cell, i) => (i === cells.length - 1 ? cell : cell + " ".repeat(widths[i] - textWidth(cell)))).join("")}\n`;
    }
    return out;
  }
}
