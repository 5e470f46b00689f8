/**
 * INT 10h: text output (Phoenix, "System BIOS", chapter 13). There is one mode, 80 by 25 characters in colour; what is
 * written goes to the text memory at B8000H and to a terminal.
 */

import { Bda, type BiosMemory } from "./bios-memory.ts";
import type { BiosCall, CallRegisters } from "./bios-processor.ts";
import { NORMAL_ATTRIBUTE, type TerminalScreen } from "./terminal-screen.ts";

export const COLUMNS = 80;
const ROWS = 25;
const TEXT_MEMORY = 0xb8000;
const PAGE_BYTES = 0x1000;
const PAGES = 8;
/** 80x25, 16 colours. */
const MODE_TEXT = 3;
const CRTC = 0x3d4;
const SPACE = 0x20;
const [BELL, BACKSPACE, LINE_FEED, CARRIAGE_RETURN] = [0x07, 0x08, 0x0a, 0x0d];
const CURSOR_SHAPE = 0x0607;
const CHARACTER_HEIGHT = 16;

interface Window {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export class VideoServices {
  /**
   * @param screen the terminal
   * @param isMirrored whether the terminal shows the screen now
   */
  constructor(
    private readonly memory: BiosMemory,
    private readonly screen: TerminalScreen,
    private readonly isMirrored: () => boolean,
  ) {}

  /** Power-on: an empty screen, of which the terminal sees nothing. */
  reset(): void {
    const { memory } = this;
    memory.putU8(Bda.VIDEO_MODE, MODE_TEXT);
    memory.putU16(Bda.COLUMNS, COLUMNS);
    memory.putU16(Bda.PAGE_BYTES, PAGE_BYTES);
    memory.putU16(Bda.PAGE_START, 0);
    memory.putU16(Bda.CURSOR_SHAPE, CURSOR_SHAPE);
    memory.putU8(Bda.ACTIVE_PAGE, 0);
    memory.putU16(Bda.CRTC_PORT, CRTC);
    memory.putU8(Bda.LAST_ROW, ROWS - 1);
    memory.putU16(Bda.CHARACTER_HEIGHT, CHARACTER_HEIGHT);
    memory.putU8(Bda.VIDEO_CONTROL, 0x60);
    memory.putU8(Bda.VIDEO_SWITCHES, 0xf9);
    for (let page = 0; page < PAGES; page++) memory.putU16(Bda.CURSOR + 2 * page, 0);
    this.fill({ top: 0, left: 0, bottom: ROWS - 1, right: COLUMNS - 1 }, NORMAL_ATTRIBUTE);
    this.screen.reset();
  }

  serve(call: BiosCall): void {
    const { registers } = call;
    const { memory } = this;
    switch (registers.ah) {
      case 0x00:
        this.setMode(registers);
        return;
      case 0x01:
        memory.putU16(Bda.CURSOR_SHAPE, registers.cx);
        return;
      case 0x02:
        this.setCursor(page(registers), registers.dh, registers.dl);
        return;
      case 0x03: {
        const cursor = memory.u16(Bda.CURSOR + 2 * page(registers));
        registers.cx = memory.u16(Bda.CURSOR_SHAPE);
        registers.dx = cursor;
        return;
      }
      case 0x05: // one page is shown, always the first
        return;
      case 0x06:
      case 0x07:
        this.scroll(registers);
        return;
      case 0x08:
        registers.ax = memory.u16(this.cell(page(registers), this.row(registers), this.column(registers)));
        return;
      case 0x09:
      case 0x0a:
        this.writeCharacters(registers);
        return;
      case 0x0e:
        this.teletype(this.activePage, registers.al, undefined);
        this.showCursor();
        return;
      case 0x0f:
        registers.ax = memory.u8(Bda.VIDEO_MODE) | (COLUMNS << 8);
        registers.bh = this.activePage;
        return;
      case 0x11:
        if (registers.al === 0x30) this.fontInformation(registers);
        return;
      case 0x13:
        this.writeString(registers);
        return;
      // What is not here leaves all registers as they are: that is how programs find out that there is no EGA, VGA or VBE.
    }
  }

  private get activePage(): number {
    return this.memory.u8(Bda.ACTIVE_PAGE) % PAGES;
  }

  private row(registers: CallRegisters): number {
    return this.cursor(page(registers)).row;
  }

  private column(registers: CallRegisters): number {
    return this.cursor(page(registers)).column;
  }

  private cursor(page: number): { row: number; column: number } {
    const value = this.memory.u16(Bda.CURSOR + 2 * page);
    return { row: Math.min(value >> 8, ROWS - 1), column: Math.min(value & 0xff, COLUMNS - 1) };
  }

  private setCursor(page: number, row: number, column: number): void {
    this.memory.putU16(Bda.CURSOR + 2 * page, (row << 8) | column);
    if (page === this.activePage) this.showCursor();
  }

  /** The terminal's cursor goes where ours is: also to be called when somebody waits for a key. */
  showCursor(): void {
    if (!this.isMirrored()) return;
    const { row, column } = this.cursor(this.activePage);
    this.screen.moveTo(row, column);
  }

  private cell(page: number, row: number, column: number): number {
    return TEXT_MEMORY + page * PAGE_BYTES + 2 * (row * COLUMNS + column);
  }

  private put(page: number, row: number, column: number, character: number, attribute: number): void {
    this.memory.putU16(this.cell(page, row, column), character | (attribute << 8));
    if (page === this.activePage && this.isMirrored()) this.screen.put(row, column, character, attribute);
  }

  /** Any mode is answered with the one there is; programs look with 0Fh. Bit 7 keeps what is on the screen. */
  private setMode(registers: CallRegisters): void {
    if ((registers.al & 0x80) !== 0) return;
    const mirrored = this.isMirrored();
    const position = { ...this.screen.position };
    this.reset();
    Object.assign(this.screen.position, position);
    if (mirrored) this.screen.clear();
  }

  private fill(window: Window, attribute: number): void {
    const line = new Uint8Array(2 * (window.right - window.left + 1));
    for (let at = 0; at < line.length; at += 2) {
      line[at] = SPACE;
      line[at + 1] = attribute;
    }
    for (let row = window.top; row <= window.bottom; row++)
      this.memory.write(this.cell(this.activePage, row, window.left), line);
  }

  /** 06h up, 07h down: a window, by AL lines; AL = 0 empties it. */
  private scroll(registers: CallRegisters): void {
    const window: Window = {
      top: registers.ch,
      left: registers.cl,
      bottom: Math.min(registers.dh, ROWS - 1),
      right: Math.min(registers.dl, COLUMNS - 1),
    };
    if (window.top > window.bottom || window.left > window.right) return;
    const height = window.bottom - window.top + 1;
    const lines = registers.al === 0 ? height : Math.min(registers.al, height);
    const isUp = registers.ah === 0x06;
    this.move(window, isUp ? lines : -lines, registers.bh);
    if (!this.isMirrored()) return;
    const isWhole = height === ROWS && window.right - window.left + 1 === COLUMNS;
    if (isWhole && lines === height && registers.bh === NORMAL_ATTRIBUTE) this.screen.clear();
    else if (isWhole && isUp && lines === 1) this.screen.scroll();
    else this.redraw(window);
    this.showCursor();
  }

  /** Moves the lines of a window up (or, with a negative number, down), and fills what becomes free. */
  private move(window: Window, lines: number, attribute: number): void {
    const { memory } = this;
    const page = this.activePage;
    const bytes = 2 * (window.right - window.left + 1);
    const height = window.bottom - window.top + 1;
    for (let step = 0; step < height; step++) {
      const row = lines > 0 ? window.top + step : window.bottom - step;
      const from = row + lines;
      if (from < window.top || from > window.bottom) {
        this.fill({ ...window, top: row, bottom: row }, attribute);
      } else {
        memory.write(
          this.cell(page, row, window.left),
          memory.read(this.cell(page, from, window.left), bytes),
        );
      }
    }
  }

  private redraw(window: Window): void {
    const page = this.activePage;
    for (let row = window.top; row <= window.bottom; row++) {
      for (let column = window.left; column <= window.right; column++) {
        const value = this.memory.u16(this.cell(page, row, column));
        this.screen.put(row, column, value & 0xff, value >> 8);
      }
    }
  }

  /** 09h, 0Ah: CX times, the cursor stays. 0Ah keeps the attributes. */
  private writeCharacters(registers: CallRegisters): void {
    const target = page(registers);
    let { row, column } = this.cursor(target);
    const count = Math.min(registers.cx, ROWS * COLUMNS);
    for (let done = 0; done < count && row < ROWS; done++) {
      const attribute =
        registers.ah === 0x09 ? registers.bl : this.memory.u8(this.cell(target, row, column) + 1);
      this.put(target, row, column, registers.al, attribute);
      column++;
      if (column === COLUMNS) {
        column = 0;
        row++;
      }
    }
    // The terminal's cursor stays behind the characters: most programs move ours there next.
  }

  /** One character as a terminal prints it. @param attribute undefined keeps what is there */
  private teletype(target: number, character: number, attribute: number | undefined): void {
    let { row, column } = this.cursor(target);
    switch (character) {
      case BELL:
        if (this.isMirrored()) this.screen.bell();
        return;
      case BACKSPACE:
        column = Math.max(0, column - 1);
        break;
      case CARRIAGE_RETURN:
        column = 0;
        break;
      case LINE_FEED:
        row++;
        break;
      default:
        this.put(
          target,
          row,
          column,
          character,
          attribute ?? this.memory.u8(this.cell(target, row, column) + 1),
        );
        column++;
        if (column === COLUMNS) {
          column = 0;
          row++;
        }
    }
    if (row === ROWS) {
      row = ROWS - 1;
      const below = this.memory.u8(this.cell(target, row, column) + 1);
      this.move({ top: 0, left: 0, bottom: row, right: COLUMNS - 1 }, 1, below);
      if (this.isMirrored()) this.screen.scroll();
    }
    this.memory.putU16(Bda.CURSOR + 2 * target, (row << 8) | column);
  }

  /** 13h: AL bit 0 moves the cursor, bit 1: attributes are in the string. */
  private writeString(registers: CallRegisters): void {
    const target = page(registers);
    const before = this.memory.u16(Bda.CURSOR + 2 * target);
    const hasAttributes = (registers.al & 2) !== 0;
    const width = hasAttributes ? 2 : 1;
    const text = this.memory.read(registers.at("es", registers.bp), registers.cx * width);
    this.memory.putU16(Bda.CURSOR + 2 * target, (registers.dh << 8) | registers.dl);
    for (let at = 0; at < text.length; at += width)
      this.teletype(target, text[at], hasAttributes ? text[at + 1] : registers.bl);
    if ((registers.al & 1) === 0) this.memory.putU16(Bda.CURSOR + 2 * target, before);
    this.showCursor();
  }

  /** 1130h: there is no font in memory; its height and the number of rows. */
  private fontInformation(registers: CallRegisters): void {
    registers.cx = CHARACTER_HEIGHT;
    registers.dl = ROWS - 1;
  }
}

function page(registers: CallRegisters): number {
  return registers.bh % PAGES;
}
