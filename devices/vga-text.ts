/**
 * VGA in text mode: the registers that set-up code and consoles use, and the screen as text. Character cells are plain RAM
 * at B8000; pixels, fonts and graphics modes there are none. IBM VGA Technical Reference; register names as in FreeVGA.
 */

import type { AccessSize, Bus, PortDevice } from "./bus.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { type Saveable, type SavedState, StateReader } from "./saved-state.ts";

const FIRST_PORT = 0x3c0;
const PORTS = 0x20;
/** Text memory of colour modes: 32 KiB, two bytes to a cell, character and attribute. */
const TEXT_MEMORY = 0xb8000;
const TEXT_MEMORY_BYTES = 0x8000;

/** Ports, as offsets from 3C0H. */
const Port = {
  Attribute: 0x00,
  AttributeRead: 0x01,
  MiscOutputWrite: 0x02,
  SequencerIndex: 0x04,
  SequencerData: 0x05,
  DacMask: 0x06,
  DacReadIndex: 0x07,
  DacWriteIndex: 0x08,
  DacData: 0x09,
  MiscOutputRead: 0x0c,
  GraphicsIndex: 0x0e,
  GraphicsData: 0x0f,
  CrtcIndex: 0x14,
  CrtcData: 0x15,
  InputStatus1: 0x1a,
} as const;

/** CRT controller registers. */
const Crtc = {
  HorizontalDisplayEnd: 0x01,
  Overflow: 0x07,
  MaximumScanLine: 0x09,
  CursorStart: 0x0a,
  StartAddressHigh: 0x0c,
  StartAddressLow: 0x0d,
  CursorLocationHigh: 0x0e,
  CursorLocationLow: 0x0f,
  VerticalRetraceEnd: 0x11,
  VerticalDisplayEnd: 0x12,
  Offset: 0x13,
} as const;
const CRTC_REGISTERS = 0x19;
/** CursorStart: the cursor is off. */
const CURSOR_DISABLED = 1 << 5;
/** VerticalRetraceEnd: registers 0 to 7 cannot be written, but for one bit of 7. */
const CRTC_PROTECTED = 1 << 7;
const LINE_COMPARE_BIT_8 = 1 << 4;
/** InputStatus1: display disabled, vertical retrace. Software waits for either value of both. */
const RETRACE = 0x09;

/** Mode 3: 80 × 25 cells of 9 × 16 pixels, cursor in lines 13 and 14. */
const CRTC_MODE_3 = [
  0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28,
  0x1f, 0x96, 0xb9, 0xa3, 0xff,
];
const SEQUENCER_MODE_3 = [0x03, 0x00, 0x03, 0x00, 0x02];
const GRAPHICS_MODE_3 = [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff];
const ATTRIBUTE_MODE_3 = [
  0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0, 0x0f, 8, 0,
];
const MISC_MODE_3 = 0x67;
const DAC_BYTES = 768;
const MOST_COLUMNS = 132;
const MOST_ROWS = 60;

/** Code page 437 outside of ASCII, as Unicode. */
const CP437_LOW = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";
const CP437_HIGH =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";

function character(code: number): string {
  if (code < 0x20) return CP437_LOW[code];
  if (code < 0x7f) return String.fromCharCode(code);
  return code === 0x7f ? "⌂" : CP437_HIGH[code - 0x80];
}

/** What is on the screen. */
export interface TextScreen {
  /** One string a row, spaces at its end left out. */
  readonly rows: readonly string[];
  readonly columns: number;
  /** Undefined if it is off, or not on the screen. */
  readonly cursor: { readonly row: number; readonly column: number } | undefined;
}

export class VgaText implements PortDevice, Saveable {
  private readonly crtc = new Uint8Array(CRTC_REGISTERS);
  private readonly sequencer = new Uint8Array(SEQUENCER_MODE_3.length);
  private readonly graphics = new Uint8Array(GRAPHICS_MODE_3.length);
  private readonly attributes = new Uint8Array(ATTRIBUTE_MODE_3.length);
  private readonly palette = new Uint8Array(DAC_BYTES);
  private crtcIndex = 0;
  private sequencerIndex = 0;
  private graphicsIndex = 0;
  private attributeIndex = 0;
  /** The next write to the attribute port is data. */
  private attributeData = false;
  private miscOutput = MISC_MODE_3;
  private dacMask = 0xff;
  /** Of the byte that is read or written next. */
  private dacRead = 0;
  private dacWrite = 0;
  private status = 0;

  constructor(private readonly memory: GuestMemory) {
    this.reset();
  }

  mapOn(bus: Bus): void {
    bus.mapPorts(FIRST_PORT, PORTS, this);
  }

  /** Firmware leaves the display in mode 3 with an empty screen; the memory is cleared by whoever fills RAM. */
  reset(): void {
    this.crtc.set(CRTC_MODE_3);
    this.sequencer.set(SEQUENCER_MODE_3);
    this.graphics.set(GRAPHICS_MODE_3);
    this.attributes.set(ATTRIBUTE_MODE_3);
    this.palette.fill(0);
    this.crtcIndex = 0;
    this.sequencerIndex = 0;
    this.graphicsIndex = 0;
    this.attributeIndex = 0;
    this.attributeData = false;
    this.miscOutput = MISC_MODE_3;
    this.dacMask = 0xff;
    this.dacRead = 0;
    this.dacWrite = 0;
    this.status = 0;
  }

  readPort(offset: number, _size: AccessSize): number {
    switch (offset) {
      case Port.Attribute:
        return this.attributeIndex;
      case Port.AttributeRead:
        return this.attributes[this.attributeIndex & 0x1f] ?? 0;
      case Port.SequencerIndex:
        return this.sequencerIndex;
      case Port.SequencerData:
        return this.sequencer[this.sequencerIndex] ?? 0;
      case Port.DacMask:
        return this.dacMask;
      case Port.DacWriteIndex:
        return Math.floor(this.dacWrite / 3);
      case Port.DacData: {
        const value = this.palette[this.dacRead];
        this.dacRead = (this.dacRead + 1) % DAC_BYTES;
        return value;
      }
      case Port.MiscOutputRead:
        return this.miscOutput;
      case Port.GraphicsIndex:
        return this.graphicsIndex;
      case Port.GraphicsData:
        return this.graphics[this.graphicsIndex] ?? 0;
      case Port.CrtcIndex:
        return this.crtcIndex;
      case Port.CrtcData:
        return this.crtc[this.crtcIndex] ?? 0;
      case Port.InputStatus1:
        this.attributeData = false;
        this.status ^= RETRACE;
        return this.status;
      default:
        return 0;
    }
  }

  writePort(offset: number, _size: AccessSize, value: number): void {
    switch (offset) {
      case Port.Attribute:
        if (this.attributeData) set(this.attributes, this.attributeIndex & 0x1f, value);
        else this.attributeIndex = value & 0x3f;
        this.attributeData = !this.attributeData;
        break;
      case Port.MiscOutputWrite:
        this.miscOutput = value;
        break;
      case Port.SequencerIndex:
        this.sequencerIndex = value;
        break;
      case Port.SequencerData:
        set(this.sequencer, this.sequencerIndex, value);
        break;
      case Port.DacMask:
        this.dacMask = value;
        break;
      case Port.DacReadIndex:
        this.dacRead = value * 3;
        break;
      case Port.DacWriteIndex:
        this.dacWrite = value * 3;
        break;
      case Port.DacData:
        this.palette[this.dacWrite] = value & 0x3f;
        this.dacWrite = (this.dacWrite + 1) % DAC_BYTES;
        break;
      case Port.GraphicsIndex:
        this.graphicsIndex = value;
        break;
      case Port.GraphicsData:
        set(this.graphics, this.graphicsIndex, value);
        break;
      case Port.CrtcIndex:
        this.crtcIndex = value;
        break;
      case Port.CrtcData:
        this.writeCrtc(value);
        break;
    }
  }

  private writeCrtc(value: number): void {
    const { crtc, crtcIndex } = this;
    const isProtected = crtcIndex <= Crtc.Overflow && (crtc[Crtc.VerticalRetraceEnd] & CRTC_PROTECTED) !== 0;
    if (!isProtected) set(crtc, crtcIndex, value);
    else if (crtcIndex === Crtc.Overflow)
      crtc[crtcIndex] = (crtc[crtcIndex] & ~LINE_COMPARE_BIT_8) | (value & LINE_COMPARE_BIT_8);
  }

  /** The screen as it is now. */
  screen(): TextScreen {
    const { crtc } = this;
    const columns = Math.min(crtc[Crtc.HorizontalDisplayEnd] + 1, MOST_COLUMNS);
    const overflow = crtc[Crtc.Overflow];
    const lines = (crtc[Crtc.VerticalDisplayEnd] | ((overflow & 0x02) << 7) | ((overflow & 0x40) << 3)) + 1;
    const height = (crtc[Crtc.MaximumScanLine] & 0x1f) + 1;
    const rowCount = Math.min(Math.floor(lines / height), MOST_ROWS);
    const stride = crtc[Crtc.Offset] * 2;
    const start = (crtc[Crtc.StartAddressHigh] << 8) | crtc[Crtc.StartAddressLow];
    const bytes = this.memory.read(TEXT_MEMORY, TEXT_MEMORY_BYTES) ?? new Uint8Array(TEXT_MEMORY_BYTES);
    const rows = Array.from({ length: rowCount }, (_, row) => {
      const cells = Array.from({ length: columns }, (_, column) =>
        character(bytes[((start + row * stride + column) * 2) % TEXT_MEMORY_BYTES]),
      );
      return cells.join("").trimEnd();
    });
    return { rows, columns, cursor: this.cursor(start, stride, columns, rowCount) };
  }

  private cursor(start: number, stride: number, columns: number, rows: number): TextScreen["cursor"] {
    const { crtc } = this;
    if ((crtc[Crtc.CursorStart] & CURSOR_DISABLED) !== 0 || stride === 0) return undefined;
    const place = ((crtc[Crtc.CursorLocationHigh] << 8) | crtc[Crtc.CursorLocationLow]) - start;
    const [row, column] = [Math.floor(place / stride), place % stride];
    return place < 0 || row >= rows || column >= columns ? undefined : { row, column };
  }

  save(): SavedState {
    const { crtcIndex, sequencerIndex, graphicsIndex, attributeIndex, attributeData } = this;
    const { miscOutput, dacMask, dacRead, dacWrite, status } = this;
    return {
      version: 1,
      crtc: this.crtc.slice(),
      sequencer: this.sequencer.slice(),
      graphics: this.graphics.slice(),
      attributes: this.attributes.slice(),
      palette: this.palette.slice(),
      ...{ crtcIndex, sequencerIndex, graphicsIndex, attributeIndex, attributeData },
      ...{ miscOutput, dacMask, dacRead, dacWrite, status },
    };
  }

  restore(saved: SavedState): void {
    const state = new StateReader("the VGA", saved, 1);
    for (const name of ["crtc", "sequencer", "graphics", "attributes", "palette"] as const)
      this[name].set(state.bytes(name, this[name].length));
    for (const name of ["crtcIndex", "sequencerIndex", "graphicsIndex", "attributeIndex"] as const)
      this[name] = state.u8(name);
    for (const name of ["miscOutput", "dacMask", "status"] as const) this[name] = state.u8(name);
    this.attributeData = state.boolean("attributeData");
    this.dacRead = state.integer("dacRead", DAC_BYTES - 1);
    this.dacWrite = state.integer("dacWrite", DAC_BYTES - 1);
  }
}

/** Registers that there are not take no writes. */
function set(registers: Uint8Array, index: number, value: number): void {
  if (index < registers.length) registers[index] = value;
}
