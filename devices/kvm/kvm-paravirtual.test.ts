import { describe, expect, it } from "vitest";
import { PlainMemory } from "../guest-memory.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { KvmParavirtual } from "./kvm-paravirtual.ts";

const TSC_AHEAD = 1_000_000;

function create() {
  const clock = new ManualClock();
  const memory = new PlainMemory(new Uint8Array(65536));
  const kvm = new KvmParavirtual({
    clock,
    wall: {
      realtime: () => ({
        seconds: 1_700_000_000 + Math.floor(clock.now() / 1e9),
        nanoseconds: clock.now() % 1e9,
      }),
    },
    memory,
    timeStampCounter: () => clock.now() + TSC_AHEAD,
  });
  return { clock, kvm, memory, view: new DataView(memory.bytes.buffer) };
}

/** pvclock_clocksource_read() of the guest. */
function guestTime(view: DataView, at: number, tsc: number): bigint {
  const delta = BigInt(tsc) - view.getBigUint64(at + 8, true);
  const shift = view.getInt8(at + 28);
  const shifted = shift < 0 ? delta >> BigInt(-shift) : delta << BigInt(shift);
  return view.getBigUint64(at + 16, true) + ((shifted * BigInt(view.getUint32(at + 24, true))) >> 32n);
}

describe("KVM's paravirtual interface", () => {
  it("signs itself KVMKVMKVM", () => {
    const { kvm } = create();
    const leaf = kvm.cpuid(0x40000000);
    const bytes = [leaf?.ebx ?? 0, leaf?.ecx ?? 0, leaf?.edx ?? 0].flatMap((word) =>
      [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff),
    );
    expect(String.fromCharCode(...bytes)).toBe("KVMKVMKVM\0\0\0");
    expect(leaf?.eax).toBe(0x40000001);
    expect(kvm.cpuid(0x1)).toBeUndefined();
    expect(kvm.cpuid(0x40000100)).toBeUndefined();
  });

  it("gives the guest a clock that follows the machine's to the nanosecond", () => {
    const { kvm, view, clock } = create();
    clock.advance(123_456_789);
    expect(kvm.writeMsr(0x4b564d01, 0x2001n)).toBe(true);
    expect(view.getUint32(0x2000, true) % 2).toBe(0);
    for (const later of [0, 1, 999, 1e9, 1e14]) {
      clock.advance(later);
      expect(guestTime(view, 0x2000, clock.now() + TSC_AHEAD)).toBe(BigInt(clock.now()));
    }
  });

  it("tells the time of day at which the machine was switched on", () => {
    const { kvm, view, clock } = create();
    clock.advance(2_500_000_000);
    kvm.writeMsr(0x4b564d00, 0x3000n);
    expect([view.getUint32(0x3004, true), view.getUint32(0x3008, true)]).toEqual([1_700_000_000, 0]);
  });

  it("refuses reserved bits and other registers, and ignores places that are not RAM", () => {
    const { kvm } = create();
    expect(kvm.writeMsr(0x4b564d03, 0x2003n)).toBe(false);
    expect(kvm.writeMsr(0x4b564d02, 0n)).toBe(false);
    expect(kvm.readMsr(0x4b564d02)).toBeUndefined();
    expect(kvm.writeMsr(0x4b564d01, 0xffffffffffffffffn)).toBe(true);
    expect(kvm.writeMsr(0x4b564d00, 0xffffffffffffffffn)).toBe(true);
  });

  it("leaves the clock page as it is when it is restored: clock and TSC go on from where they were", () => {
    const { kvm, view, clock } = create();
    clock.advance(777);
    kvm.writeMsr(0x4b564d01, 0x2001n);
    const copy = create();
    copy.clock.advance(777);
    new Uint8Array(copy.view.buffer).set(new Uint8Array(view.buffer));
    copy.kvm.restore(kvm.save());
    expect(new Uint8Array(copy.view.buffer)).toEqual(new Uint8Array(view.buffer));
    copy.clock.advance(1000);
    expect(guestTime(copy.view, 0x2000, copy.clock.now() + TSC_AHEAD)).toBe(1777n);
    expect(copy.kvm.readMsr(0x4b564d01)).toBe(0x2001n);
  });
});
