import { beforeEach, describe, expect, it } from "vitest";
import { Access, PageFaultBit, type Translation } from "../../mmu/translator.ts";
import { RamFs } from "../fs/ramfs.ts";
import { createFakeMachine, type FakeMachine } from "../testing/fake-machine.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { Inode } from "../vfs/inode.ts";
import { AddressSpace } from "./address-space.ts";
import { MemoryOwner } from "./memory-owner.ts";
import { ProgramMemory } from "./program-memory.ts";
import { Prot, type VmaAttributes } from "./vma.ts";

const PAGE = 4096;
const AT = 0x7f_0000_0000;
const RW = Prot.Read | Prot.Write;

let machine: FakeMachine;
let space: AddressSpace;
let memory: ProgramMemory;
let owner: MemoryOwner;
const out: Translation = { physicalPage: 0, rights: 0, errorCode: 0 };

function area(prot: number, more: Partial<VmaAttributes> = {}): VmaAttributes {
  return {
    prot,
    shared: false,
    growsDown: false,
    growLimit: 0,
    mayWrite: true,
    file: undefined,
    name: "",
    owner,
    ...more,
  };
}

function fileWith(bytes: Uint8Array): Inode {
  const inode: Inode = new RamFs(new VirtualClock()).root.create("file", 0o100644, 0, 0, 0);
  inode.setAttributes({ size: bytes.length });
  for (let position = 0; position < bytes.length; position += PAGE) {
    const page = new Uint8Array(PAGE);
    page.set(bytes.subarray(position, position + PAGE));
    inode.writePage?.(position, page, Math.min(PAGE, bytes.length - position));
  }
  return inode;
}

function fileByte(inode: Inode, position: number): number {
  const page = new Uint8Array(PAGE);
  inode.readPage?.(position - (position % PAGE), page);
  return page[position % PAGE];
}

beforeEach(() => {
  owner = new MemoryOwner("test");
  machine = createFakeMachine(64 * PAGE);
  space = new AddressSpace(machine);
  memory = new ProgramMemory(space, machine.ram);
});

describe("anonymous memory", () => {
  it("costs nothing until it is written to", () => {
    space.map(AT, 2 ** 36, area(RW));
    const free = space.frames.free;
    expect(memory.readU64(AT + 2 ** 35)).toBe(0n);
    expect(space.frames.free).toBe(free);
    memory.writeU8(AT + 2 ** 35, 1);
    expect(space.frames.free).toBe(free - 1);
  });

  it("gives every page its own frame although reads share one", () => {
    space.map(AT, 4 * PAGE, area(RW));
    expect([memory.readU8(AT), memory.readU8(AT + PAGE)]).toEqual([0, 0]);
    memory.writeU8(AT, 5);
    expect([memory.readU8(AT), memory.readU8(AT + PAGE)]).toEqual([5, 0]);
  });

  it("tells the processor when the frame behind a page changes", () => {
    space.map(AT, PAGE, area(RW));
    space.translate(AT, Access.Read, out);
    expect(out.rights).toBe(Access.Read);
    const before = out.physicalPage;
    space.translate(AT, Access.Write, out);
    expect(out.physicalPage).not.toBe(before);
    expect(out.rights).toBe(Access.Read | Access.Write);
    expect(machine.cpu.flushes).toContainEqual([AT, PAGE]);
  });

  it("is zero again when a used frame comes back", () => {
    space.map(AT, PAGE, area(RW));
    memory.fill(AT, PAGE, 0xff);
    space.unmap(AT, PAGE, owner);
    space.map(AT, PAGE, area(RW));
    memory.writeU8(AT + 1, 1);
    expect(memory.readU16(AT)).toBe(0x100);
  });

  it("runs out with a reason, and gives everything back at the end", () => {
    const free = space.frames.free;
    space.map(AT, 100 * PAGE, area(RW));
    let written = 0;
    while (space.fault(AT + written * PAGE, Access.Write) === undefined) written++;
    expect(written).toBe(free);
    expect(space.fault(AT + written * PAGE, Access.Write)).toBe("out of memory");
    expect(owner.residentPages).toBe(written);
    space.unmapAll(owner);
    expect(space.frames.free).toBe(free);
    expect(owner.residentPages).toBe(0);
    expect(owner.peakResidentPages).toBe(written);
  });
});

describe("rights", () => {
  it("name why an access fails, with the error code of the processor", () => {
    space.map(AT, PAGE, area(Prot.Read));
    expect(space.fault(AT - 1, Access.Read)).toBe("unmapped");
    expect(space.fault(AT, Access.Write)).toBe("forbidden");
    expect(space.translate(AT, Access.Write, out)).toBe(false);
    expect(out.errorCode).toBe(PageFaultBit.User | PageFaultBit.Write);
    memory.readU8(AT);
    space.translate(AT, Access.Write, out);
    expect(out.errorCode).toBe(PageFaultBit.User | PageFaultBit.Write | PageFaultBit.Present);
    space.translate(AT, Access.Execute, out);
    expect(out.errorCode).toBe(PageFaultBit.User | PageFaultBit.Instruction | PageFaultBit.Present);
  });

  it("refuses addresses outside of user space, and nonsense", () => {
    for (const address of [-1, -PAGE, 2 ** 47, 2 ** 62, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(space.resolve(address, Access.Read)).toBe(-1);
      expect(memory.check(address, 1, false)).toBe(false);
    }
    expect(memory.check(AT, -5, false)).toBe(false);
  });

  it("come and go with mprotect, without losing what is there", () => {
    space.map(AT, 3 * PAGE, area(RW));
    memory.writeU8(AT + PAGE, 9);
    const vma = space.areas.find(AT);
    if (vma === undefined) throw new Error("no area");
    space.protect(vma, AT + PAGE, AT + 2 * PAGE, Prot.None);
    expect(space.fault(AT + PAGE, Access.Read)).toBe("forbidden");
    expect(machine.cpu.flushes).toContainEqual([AT + PAGE, PAGE]);
    const middle = space.areas.find(AT + PAGE);
    if (middle === undefined) throw new Error("no area");
    space.protect(middle, AT + PAGE, AT + 2 * PAGE, RW);
    expect(memory.readU8(AT + PAGE)).toBe(9);
    expect(space.areas.size).toBe(1);
  });

  it("never make a page writable that still has to be copied", () => {
    space.map(AT, PAGE, area(Prot.Read));
    memory.readU8(AT);
    const vma = space.areas.find(AT);
    if (vma === undefined) throw new Error("no area");
    space.protect(vma, AT, AT + PAGE, RW);
    memory.writeU8(AT, 3);
    space.map(AT + 8 * PAGE, PAGE, area(Prot.Read));
    expect(memory.readU8(AT + 8 * PAGE)).toBe(0);
  });
});

describe("code", () => {
  it("is forgotten by the engine when its frame is freed or written to by the kernel", () => {
    space.map(AT, PAGE, area(RW | Prot.Exec));
    memory.writeU8(AT, 0x90);
    space.translate(AT, Access.Execute, out);
    const physical = out.physicalPage;
    memory.writeU32(AT + 8, 1);
    expect(machine.engine.forgotten).toContainEqual([physical + 8, 4]);
    space.unmap(AT, PAGE, owner);
    expect(machine.engine.forgotten).toContainEqual([physical, PAGE]);
  });

  it("is forgotten all at once when the last program goes that has any", () => {
    const everything = [0, machine.ram.length];
    const other = new MemoryOwner("other");
    space.map(AT, PAGE, area(RW | Prot.Exec));
    space.map(AT + PAGE, PAGE, area(RW | Prot.Exec, { owner: other }));
    space.unmapAll(owner);
    expect(machine.engine.forgotten).not.toContainEqual(everything);
    space.unmapAll(other);
    expect(machine.engine.forgotten).toContainEqual(everything);
  });

  it("costs the kernel nothing where there is none", () => {
    space.map(AT, PAGE, area(RW));
    memory.fill(AT, PAGE, 1);
    space.unmap(AT, PAGE, owner);
    expect(machine.engine.forgotten).toEqual([]);
  });
});

describe("stacks", () => {
  const top = AT + 1024 * PAGE;
  const stack = () => area(RW, { growsDown: true, growLimit: top - 600 * PAGE, name: "[stack]" });

  it("grow when touched below, down to their limit", () => {
    space.map(top - PAGE, PAGE, stack());
    memory.writeU8(top - 400 * PAGE, 1);
    expect(space.areas.find(top - 200 * PAGE)?.name).toBe("[stack]");
    expect(space.fault(top - 601 * PAGE, Access.Write)).toBe("unmapped");
  });

  it("keep their distance from what is below", () => {
    space.map(top - PAGE, PAGE, stack());
    space.map(top - 400 * PAGE, PAGE, area(RW));
    expect(space.fault(top - 300 * PAGE, Access.Write)).toBe("unmapped");
    expect(space.fault(top - 100 * PAGE, Access.Write)).toBeUndefined();
  });
});

describe("files", () => {
  const contents = Uint8Array.from({ length: 2 * PAGE + 100 }, (_, index) => index % 251);

  it("are read when touched; the rest of the last page is zero, and behind it is nothing", () => {
    const inode = fileWith(contents);
    space.map(AT, 4 * PAGE, area(RW, { file: { inode, offset: 0 } }));
    expect(memory.read(AT, contents.length)).toEqual(contents);
    expect(memory.readU8(AT + contents.length)).toBe(0);
    expect(space.fault(AT + 3 * PAGE, Access.Read)).toBe("past end");
  });

  it("do not change when mapped privately", () => {
    const inode = fileWith(contents);
    space.map(AT, PAGE, area(RW, { file: { inode, offset: PAGE } }));
    memory.writeU8(AT, 200);
    space.unmapAll(owner);
    expect(fileByte(inode, PAGE)).toBe(contents[PAGE]);
  });

  it("are one memory to all who share them, and are written at the end", () => {
    const inode = fileWith(contents);
    const shared = area(RW, { file: { inode, offset: 0 }, shared: true });
    space.map(AT, 2 * PAGE, shared);
    space.map(AT + 16 * PAGE, 2 * PAGE, shared);
    expect(memory.readU8(AT + 16 * PAGE + 10)).toBe(10);
    memory.writeU8(AT + 10, 222);
    expect(memory.readU8(AT + 16 * PAGE + 10)).toBe(222);
    inode.mappings?.writeBack(0, PAGE);
    expect(fileByte(inode, 10)).toBe(222);
    memory.writeU8(AT + 11, 223);
    const free = space.frames.free;
    space.unmap(AT, 2 * PAGE, owner);
    space.unmap(AT + 16 * PAGE, 2 * PAGE, owner);
    expect(fileByte(inode, 11)).toBe(223);
    expect(space.frames.free).toBe(free + 1);
    expect(inode.mappings).toBeUndefined();
  });

  it("are noticed by mappings when written to or cut", () => {
    const inode = fileWith(contents);
    space.map(AT, 3 * PAGE, area(RW, { file: { inode, offset: 0 }, shared: true }));
    memory.readU8(AT);
    memory.readU8(AT + 2 * PAGE);
    inode.mappings?.update(5, Uint8Array.of(99));
    expect(memory.readU8(AT + 5)).toBe(99);
    inode.setAttributes({ size: PAGE + 50 });
    inode.mappings?.truncate(PAGE + 50);
    expect(memory.readU8(AT + PAGE + 60)).toBe(0);
    expect(space.fault(AT + 2 * PAGE, Access.Read)).toBe("past end");
  });
});

describe("moving", () => {
  it("takes the contents along and leaves nothing behind", () => {
    space.map(AT, 2 * PAGE, area(RW));
    memory.writeU8(AT + PAGE, 8);
    const vma = space.areas.find(AT);
    if (vma === undefined) throw new Error("no area");
    space.move(vma, AT, AT + 2 * PAGE, AT + 32 * PAGE, 4 * PAGE, false);
    expect(memory.readU8(AT + 33 * PAGE)).toBe(8);
    expect(memory.readU8(AT + 35 * PAGE)).toBe(0);
    expect(space.fault(AT, Access.Read)).toBe("unmapped");
  });
});

describe("program memory", () => {
  it("crosses pages in every width", () => {
    space.map(AT, 2 * PAGE, area(RW));
    const edge = AT + PAGE;
    memory.writeU64(edge - 3, 0x1122334455667788n);
    expect(memory.readU64(edge - 3)).toBe(0x1122334455667788n);
    memory.writeI64(edge - 5, -2);
    expect(memory.readI64(edge - 5)).toBe(-2);
    memory.writeU32(edge - 1, 0xdeadbeef);
    expect(memory.readU32(edge - 1)).toBe(0xdeadbeef);
    expect(memory.readI32(edge - 1)).toBe(0xdeadbeef | 0);
    memory.writeU16(edge - 1, 0xabcd);
    expect(memory.readU16(edge - 1)).toBe(0xabcd);
  });

  it("changes nothing when a part of the range is missing", () => {
    space.map(AT, PAGE, area(RW));
    expect(() => memory.write(AT + PAGE - 2, Uint8Array.of(1, 2, 3, 4))).toThrow("errno 14");
    expect(memory.readU16(AT + PAGE - 2)).toBe(0);
  });

  it("reads strings up to their end, their limit, or the end of memory", () => {
    space.map(AT, 2 * PAGE, area(RW));
    memory.write(AT + PAGE - 3, new TextEncoder().encode("hällo\0"));
    expect(memory.readString(AT + PAGE - 3)).toBe("hällo");
    memory.fill(AT, 2 * PAGE, 0x61);
    expect(() => memory.readString(AT, 100)).toThrow("errno 36");
    expect(() => memory.readString(AT + 2 * PAGE - 10)).toThrow("errno 14");
    expect(() => memory.readString(-5)).toThrow("errno 14");
  });
});
