import { describe, expect, it } from "vitest";
import { Bus } from "./bus.ts";
import { FW_CFG_PORT, FwCfg } from "./fw-cfg.ts";
import { PlainMemory } from "./guest-memory.ts";
import { canRunQtest, runQtest } from "./testing/qtest.ts";

function create() {
  const memory = new PlainMemory(new Uint8Array(65536));
  const bus = new Bus();
  const fwCfg = new FwCfg(memory);
  fwCfg.mapOn(bus);
  const select = (key: number) => bus.writePort(FW_CFG_PORT, 2, key);
  const read = (count: number) => Array.from({ length: count }, () => bus.readPort(FW_CFG_PORT + 1, 1));
  const view = new DataView(memory.bytes.buffer);
  /** Runs one FWCfgDmaAccess at 1000H. */
  const dma = (control: number, length: number, address: bigint) => {
    view.setUint32(0x1000, control);
    view.setUint32(0x1004, length);
    view.setBigUint64(0x1008, address);
    bus.writePort(FW_CFG_PORT + 4, 4, 0);
    bus.writePort(FW_CFG_PORT + 8, 4, 0x00100000); // 1000H, big-endian
    return view.getUint32(0x1000);
  };
  return { memory, bus, fwCfg, select, read, dma };
}

const ascii = (bytes: ArrayLike<number>) => String.fromCharCode(...Array.from(bytes));

describe("fw_cfg", () => {
  it("has the signature, and zeros behind the end of an item", () => {
    const { select, read } = create();
    select(0);
    expect(ascii(read(4))).toBe("QEMU");
    expect(read(3)).toEqual([0, 0, 0]);
    select(0x7777);
    expect(read(2)).toEqual([0, 0]);
  });

  it("lists its files and gives their contents", () => {
    const { fwCfg, select, read } = create();
    fwCfg.addFile("opt/one", new Uint8Array([1, 2, 3]));
    fwCfg.addFile("opt/two", new Uint8Array(300).fill(7));
    select(0x19);
    expect(read(4)).toEqual([0, 0, 0, 2]);
    const [first, second] = [read(64), read(64)];
    expect([first.slice(0, 4), ascii(first.slice(8, 15))]).toEqual([[0, 0, 0, 3], "opt/one"]);
    expect(second.slice(0, 4)).toEqual([0, 0, 1, 44]);
    select(first[4] * 256 + first[5]);
    expect(read(4)).toEqual([1, 2, 3, 0]);
  });

  it("reads and skips by DMA", () => {
    const { fwCfg, memory, dma } = create();
    fwCfg.addFile("opt/one", new Uint8Array([1, 2, 3, 4, 5]));
    expect(dma(0x0020000a, 4, 0x2000n)).toBe(0); // select file 20H, read
    expect([...memory.bytes.subarray(0x2000, 0x2005)]).toEqual([1, 2, 3, 4, 0]);
    expect(dma(0x00200008, 0, 0n)).toBe(0);
    expect(dma(0x4, 3, 0n)).toBe(0); // skip three
    memory.bytes.fill(9, 0x2000, 0x2010);
    expect(dma(0x2, 4, 0x2000n)).toBe(0);
    expect([...memory.bytes.subarray(0x2000, 0x2005)]).toEqual([4, 5, 0, 0, 9]);
  });

  it("reports DMA to places that are not RAM, writes, and absurd lengths", () => {
    const { bus, dma } = create();
    expect(dma(0x2, 4, 0xfffffffffffffff0n)).toBe(1);
    expect(dma(0x2, 0xffffffff, 0x2000n)).toBe(1);
    expect(dma(0x10, 4, 0x2000n)).toBe(1);
    bus.writePort(FW_CFG_PORT + 4, 4, 0xffffffff);
    bus.writePort(FW_CFG_PORT + 8, 4, 0xffffffff);
  });

  it("restores what it saved", () => {
    const { fwCfg, select, read } = create();
    select(0);
    read(2);
    const copy = create();
    copy.fwCfg.restore(fwCfg.save());
    expect(ascii(copy.read(2))).toBe("MU");
  });
});

describe.runIf(canRunQtest)("fw_cfg, beside QEMU's", () => {
  it("answers the same at its ports", async () => {
    const commands = [
      "outw 0x510 0x0",
      ...Array(6).fill("inb 0x511"),
      "inl 0x514",
      "inl 0x518",
      "outw 0x510 0x1",
      "inb 0x511",
    ];
    const theirs = await runQtest(commands);
    const { bus } = create();
    const ours = commands.map((command) => {
      const [operation, port, value] = command.split(" ");
      const size = ({ b: 1, w: 2, l: 4 } as const)[operation.at(-1) as "b" | "w" | "l"];
      if (operation.startsWith("in")) return [bus.readPort(Number(port), size)];
      bus.writePort(Number(port), size, Number(value));
      return [];
    });
    expect(ours).toEqual(theirs.map((words) => words.map(Number)));
  });
});
