/** What a guest out of its mind does to a board: accesses to ports, registers in memory, PCI configuration and MSRs. */

import { HPET_BASE } from "../../hpet.ts";
import type { Board } from "../board.ts";
import { Layout } from "../memory-layout.ts";
import type { TestBoard } from "./test-board.ts";

type Random = (below: number) => number;

/** Ports where something answers, which are few among 65,536. */
const BUSY_PORTS: readonly (readonly [first: number, count: number])[] = [
  [0x20, 2],
  [0x40, 4],
  [0x60, 5],
  [0x61, 1],
  [0x70, 2],
  [0xa0, 2],
  [0xe9, 1],
  [0xf4, 4],
  [0x3f8, 8],
  [0x402, 1],
  [0x4d0, 2],
  [0x505, 1],
  [0x510, 12],
  [0x600, 12],
  [0xcf8, 8],
  [0xc000, 0x100],
];
const BUSY_MEMORY: readonly (readonly [first: number, count: number])[] = [
  [Layout.IO_APIC, 0x50],
  [HPET_BASE, 0x180],
  [Layout.LOCAL_APIC, 0x400],
  [Layout.ECAM, 0x10000],
  [Layout.PCI_MEMORY, 0x3000],
];
const MSRS = [0x1b, 0x6e0] as const;
const X2APIC = 0x800;
const KVM_MSRS = [0x11, 0x12, 0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03, 0x4b564d04] as const;
const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const SIZES = [1, 2, 4] as const;

const pick = <Item>(random: Random, items: readonly Item[]): Item => items[random(items.length)];

function place(random: Random, busy: readonly (readonly [number, number])[]): number {
  const [first, count] = pick(random, busy);
  return first + random(count);
}

/** Values that mean something, more often than not. */
function likelyValue(random: Random, size: number): number {
  const value = pick(random, [0, 0xffffffff, random(2 ** 32), random(256), 1 << random(31), 0xfee00000]);
  return (value >>> 0) % 2 ** (8 * size);
}

function msrValue(random: Random, clock: number): bigint {
  switch (random(4)) {
    case 0:
      return BigInt(likelyValue(random, 4));
    case 1: // soon, for the TSC deadline
      return BigInt(Math.floor(clock)) + BigInt(random(1_000_000));
    case 2:
      return (BigInt(likelyValue(random, 4)) << 32n) | BigInt(likelyValue(random, 4));
    default:
      return BigInt(0x1000 * random(0x300) + random(2));
  }
}

function configuration(board: Board, random: Random): void {
  const size = pick(random, SIZES);
  const address =
    0x80000000 + ((random(4) << 11) | (random(64) << 2)) + (random(8) === 0 ? random(2 ** 24) : 0);
  board.bus.writePort(CONFIG_ADDRESS, 4, address >>> 0);
  board.bus.writePort(CONFIG_DATA + (random(4) & (4 - size)), size, likelyValue(random, size));
}

/**
 * Does one thing.
 * @returns what a read gave and how many bytes it had, if it was one
 */
export function doSomething(
  { board, clock }: TestBoard,
  random: Random,
): { readonly value: number; readonly size: number; readonly where: string } | undefined {
  const { bus, localApic, kvm } = board;
  const size = pick(random, SIZES);
  switch (random(16)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const port = random(8) === 0 ? random(0x10000) : place(random, BUSY_PORTS);
      bus.writePort(port, size, likelyValue(random, size));
      return undefined;
    }
    case 4:
    case 5:
    case 6: {
      const port = random(8) === 0 ? random(0x10000) : place(random, BUSY_PORTS);
      return { value: bus.readPort(port, size), size, where: `port ${port.toString(16)}` };
    }
    case 7:
    case 8:
    case 9: {
      const address =
        random(8) === 0 ? random(2 ** 32) : place(random, BUSY_MEMORY) & ~(random(4) === 0 ? 0 : size - 1);
      bus.writeMemory(address >>> 0, size, likelyValue(random, size));
      return undefined;
    }
    case 10: {
      const address = (random(8) === 0 ? random(2 ** 32) : place(random, BUSY_MEMORY)) >>> 0;
      return { value: bus.readMemory(address, size), size, where: `memory ${address.toString(16)}` };
    }
    case 11:
      configuration(board, random);
      return undefined;
    case 12: {
      const msr = random(4) === 0 ? pick(random, MSRS) : X2APIC + random(0x40);
      localApic.writeMsr(msr, msrValue(random, clock.now()));
      localApic.readMsr(msr);
      return undefined;
    }
    case 13: {
      const msr = pick(random, KVM_MSRS);
      kvm.writeMsr(msr, msrValue(random, clock.now()));
      kvm.readMsr(msr);
      return undefined;
    }
    case 14:
      localApic.acknowledge();
      board.uart.receive(new Uint8Array(random(40)).fill(random(256)));
      if (random(4) === 0) board.uart.receiveBreak();
      if (random(4) === 0) board.powerManagement.pressPowerButton();
      if (random(4) === 0) board.keyboard.type(random(256));
      return undefined;
    default:
      clock.pass(pick(random, [1, 1000, 100_000, 10_000_000, 3_000_000_000]));
      clock.fireDue();
      return undefined;
  }
}
