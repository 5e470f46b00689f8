/** The stub against packets by hand and by chance; gdb itself drives it in test/machines/gdb.test.ts. */

import { describe, expect, it } from "vitest";
import { bytesOf, encodePacket, hexOf, PacketReader } from "./packet.ts";
import { GdbSession } from "./session.ts";
import { MemoryTarget } from "./testing/memory-target.ts";

function connect() {
  const target = new MemoryTarget();
  let sent = "";
  const session = new GdbSession(
    target,
    (bytes) => {
      sent += String.fromCharCode(...bytes);
    },
    () => {},
  );
  /** Everything that is sent in answer to raw bytes. */
  const raw = (text: string): string => {
    sent = "";
    session.receive(bytesOf(text));
    return sent;
  };
  /** The payload of the answer to a packet. */
  const ask = (payload: string): string | undefined => {
    const answer = raw(encodePacket(payload));
    expect(answer.startsWith("+")).toBe(true);
    for (const incoming of new PacketReader().read(bytesOf(answer.slice(1))))
      if (incoming.kind === "packet") return incoming.payload;
    return undefined;
  };
  return { target, session, raw, ask };
}

describe("the gdb stub", () => {
  it("acknowledges packets until it is told not to, and sends the last one again when asked", () => {
    const { raw, ask } = connect();
    expect(raw("$qC#b4")).toBe("+$QC1#c5");
    expect(raw("-")).toBe("$QC1#c5");
    expect(raw("$qC#00")).toBe("-");
    expect(ask("QStartNoAckMode")).toBe("OK");
    expect(raw("$qC#b4")).toBe("$QC1#c5");
    expect(raw("$qC#00")).toBe("");
  });

  it("takes a packet in pieces, behind noise and behind one that was cut off", () => {
    const { raw } = connect();
    expect(raw("noise$q")).toBe("");
    expect(raw("C#b")).toBe("");
    expect(raw("4")).toBe("+$QC1#c5");
    expect(raw("$m0,$qC#b4")).toBe("+$QC1#c5");
  });

  it("reads and writes memory, also bytes that have to be escaped", () => {
    const { target, ask } = connect();
    expect(ask("X10,4:}\x03}\x04}]*")).toBe("OK");
    expect([...target.memory.subarray(0x10, 0x14)]).toEqual([0x23, 0x24, 0x7d, 0x2a]);
    expect(ask("m10,4")).toBe("23247d2a");
    expect(ask("M20,2:beef")).toBe("OK");
    expect(ask("m20,2")).toBe("beef");
    expect(ask("mfffe,8")).toBe("0000");
    expect(ask("m20000,8")).toBe("E0e");
    expect(ask("M20000,1:00")).toBe("E0e");
    expect(ask("M20,3:beef")).toBe("E01");
    expect(ask("qSearch:memory:0;100;}\x03}\x04")).toBe("1,10");
    expect(ask("qSearch:memory:0;10;\xbe\xef")).toBe("0");
  });

  it("reads and writes registers one by one as all at once", () => {
    const { ask } = connect();
    expect(ask("P0=efcdab8967452301")).toBe("OK");
    expect(ask("p0")).toBe("efcdab8967452301");
    expect(ask("P11=ff08ff00")).toBe("OK"); // eflags: what there is of it
    const all = ask("g") ?? "";
    expect(all.startsWith("efcdab8967452301")).toBe(true);
    expect(ask("Hg2")).toBe("OK");
    expect(ask("p0")).toBe("0000000000000000");
    expect(ask(`G${all}`)).toBe("OK");
    expect(ask("g")).toBe(all);
    expect(ask("Hg7")).toBe("E03");
    expect(ask("pffff")).toBe("E01");
    expect(ask("P0=00")).toBe("E01");
  });

  it("inserts a breakpoint once for however many types, and watchpoints", () => {
    const { target, ask } = connect();
    expect([ask("Z0,400000,1"), ask("Z1,400000,1"), ask("z0,400000,1")]).toEqual(["OK", "OK", "OK"]);
    expect([...target.breakpoints]).toEqual([0x400000]);
    expect(ask("z1,400000,1")).toBe("OK");
    expect([...target.breakpoints]).toEqual([]);
    expect(ask("Z2,ffffffff81000000,8")).toBe("OK");
    expect(target.watchpoints).toEqual([{ address: -0x7f000000, length: 8, access: "write" }]);
    expect(ask("z2,ffffffff81000000,8")).toBe("OK");
    expect(ask("Z5,0,1")).toBe("");
    expect(ask("Z2,0,0")).toBe("E01");
  });

  it("goes on as it is told, and answers when the target stops", () => {
    const { target, raw, ask } = connect();
    expect(raw(encodePacket("vCont;s:2;C0b:1;c"))).toBe("+");
    expect(target.resumed).toEqual({
      threads: new Map([
        [2, { step: true }],
        [1, { signal: 11 }],
      ]),
      others: {},
    });
    expect(raw("\x03")).toMatch(/^\$T02thread:1;06:0{16};07:0{16};10:0{16};#/);
    expect(raw(encodePacket("vCont;r400000,400010:1"))).toBe("+");
    expect(target.resumed?.threads.get(1)).toEqual({ step: { start: 0x400000, end: 0x400010 } });
    expect(target.resumed?.others).toBeUndefined();
    target.isRunning = false;
    target.onStop({ kind: "exited", status: 3 });
    expect(ask("?")).toBe("W03");
    expect(ask("vCont;x")).toBe("E01");
  });

  it("describes itself: features, threads, the program and its files", () => {
    const { ask } = connect();
    expect(ask("qSupported:swbreak+")).toContain("qXfer:features:read+");
    expect(ask("qXfer:features:read:target.xml:0,20")).toMatch(/^m<\?xml version="1.0"\?>/);
    expect(ask("qXfer:features:read:target.xml:100000,20")).toBe("l");
    expect(ask("qXfer:threads:read::0,1000")).toContain('name="thread &lt;2&gt;"');
    expect(ask("qXfer:auxv:read::0,1000")).toBe("l\x01\x02}#$*");
    expect(ask("qXfer:exec-file:read:1:0,1000")).toBe("l/bin/program");
    const name = hexOf(new TextEncoder().encode("/bin/program"));
    expect(ask(`vFile:open:${name},0,0`)).toBe("F3");
    expect(ask("vFile:pread:3,10,1")).toBe("F3;\x02\x03\x04");
    expect(ask("vFile:fstat:3")).toHaveLength("F40;".length + 64);
    expect(ask("vFile:close:3")).toBe("F0");
    expect(ask("vFile:pread:3,10,1")).toBe("F-1,9");
    expect(ask("vFile:open:00,0,0")).toBe("F-1,2");
    expect(ask(`qRcmd,${hexOf(new TextEncoder().encode("echo hello"))}`)).toBe(
      `O${hexOf(new TextEncoder().encode("hello\n"))}`,
    );
    expect(ask("vMustReplyEmpty")).toBe("");
  });

  it("outlives any bytes, and any packet, and answers every packet but those that run", () => {
    let { target, raw } = connect();
    let seed = 1;
    const random = (limit: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return Math.floor((seed / 2 ** 32) * limit);
    };
    const models = [
      ..."? g G00 p1 P1=00 m0,10 M0,1:00 X0,1:a H Hg-1 Hc0 T1 c s C05 S05;400000 Z0,1,1 z0,1,1 Z2,1,8 z2,1,8 D".split(
        " ",
      ),
      ..."qSupported:a+;b- qC qAttached qfThreadInfo qsThreadInfo qThreadExtraInfo,1 qRcmd,6563686f QPassSignals:e;f;10".split(
        " ",
      ),
      ..."qXfer:features:read:target.xml:0,10 qXfer:threads:read::0,fff qXfer:auxv:read::0,10 qXfer:x:write::0:a".split(
        " ",
      ),
      ..."vCont? vCont;c vCont;s:1;c vCont;r1,2:1 vFile:open:2f,0,0 vFile:pread:3,10,0 vFile:fstat:3 vFile:close:3".split(
        " ",
      ),
      ..."vFile:setfs:0 vKill;1 vCtrlC qSearch:memory:0;100;abc qSymbol:: QStartNoAckMode".split(" "),
    ];
    const history: string[] = [];
    for (let turn = 0; turn < 30_000; turn++) {
      let payload = models[random(models.length)];
      for (let change = random(4); change > 0; change--) {
        const at = random(payload.length + 1);
        const inserted = "0123456789abcdef,;:-=+$#*}\0\xff"[random(28)] ?? "";
        payload = payload.slice(0, at) + (random(3) === 0 ? "" : inserted) + payload.slice(at + random(3));
      }
      history.push(payload);
      const answer = raw(encodePacket(payload));
      const runs = /^(v|c|s|C|S|\?|k)/.test(payload);
      if (!runs && !/[#$}*]/.test(payload))
        expect(answer, JSON.stringify(history.slice(-4))).toMatch(/\$[\s\S]*#[0-9a-f]{2}$/);
      raw("\x03");
      target.isRunning = false;
      if (turn % 16 === 0) {
        let noise = "";
        for (let length = random(200); length > 0; length--) noise += String.fromCharCode(random(256));
        raw(noise);
      }
      // Should something have begun a packet, or a checksum, that is over now.
      if (turn % 16 === 0 || /[#$}*]/.test(payload)) raw("$#00");
      // "}K" is an escaped "k".
      if (/^(k|\}K)/.test(payload)) ({ target, raw } = connect());
    }
  });
});
