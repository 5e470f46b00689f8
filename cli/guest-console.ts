/** `guest` in the console of a JavaScript debugger: what a person asks about the guest while it stands still. */

import type { Cpu } from "../cpu/cpu.ts";
import type { JsEngine } from "../cpu/engines/js/engine.ts";
import { registerName } from "../cpu/engines/js/register-names.ts";
import { Flag, XMM, XMM_STRIDE } from "../cpu/state.ts";

export interface GuestConsole {
  /** General registers, segment bases and flags, in hexadecimal. */
  readonly registers: Readonly<Record<string, string>>;
  /** XMM0 … XMM15, most significant byte first. */
  readonly vectors: Readonly<Record<string, string>>;
  /** Guest memory as a hex dump. */
  memory(address: number | bigint, length?: number): string;
  /** Sets a breakpoint at a guest address, translated or not. */
  stopAt(address: number | bigint): void;
}

const hex = (value: bigint | number, digits: number) => value.toString(16).padStart(digits, "0");

export function createGuestConsole(cpu: Cpu, engine: JsEngine): GuestConsole {
  return {
    get registers() {
      const general = [...Array(16).keys()].map((index) => [
        registerName(index, 64),
        `0x${hex(cpu.gpr64(index), 16)}`,
      ]);
      const { rflags } = cpu;
      const flags = Object.entries(Flag).filter(([, bit]) => (rflags & bit) !== 0);
      return Object.fromEntries([...general, ["flags", flags.map(([name]) => name).join(" ")]]);
    },
    get vectors() {
      return Object.fromEntries(
        [...Array(16).keys()].map((index) => {
          const bytes = [...cpu.stateBytes(XMM + index * XMM_STRIDE, 16)].reverse();
          return [`xmm${index}`, `0x${bytes.map((byte) => hex(byte, 2)).join("")}`];
        }),
      );
    },
    memory(address, length = 64) {
      const start = Number(address);
      const bytes = new Uint8Array(length);
      cpu.mmu.read(start, bytes);
      const rows = [...Array(Math.ceil(length / 16)).keys()].map((row) => {
        const part = [...bytes.subarray(16 * row, 16 * row + 16)];
        const text = part.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."));
        return `${hex(start + 16 * row, 8)}  ${part
          .map((byte) => hex(byte, 2))
          .join(" ")
          .padEnd(48)} ${text.join("")}`;
      });
      return rows.join("\n");
    },
    stopAt: (address) => engine.stopAt(Number(address)),
  };
}
