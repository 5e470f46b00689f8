import { beforeEach, describe, expect, it } from "vitest";
import { EAGAIN, ECHILD, EDEADLK, EINTR, ENOSYS, ETIMEDOUT } from "../errno.ts";
import { call, cloneCall, DATA, type Program, plain, ScriptedKernel } from "../testing/scripted-kernel.ts";
import { SIGALRM, SIGKILL, SIGSEGV, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2 } from "./signal-numbers.ts";
import { SignalFlag } from "./signals.ts";

const THREAD = 0x10f00; // CLONE_VM | FS | FILES | SIGHAND | THREAD
const VFORK = 0x4111; // CLONE_VM | CLONE_VFORK | SIGCHLD
const CLEARTID = 0x200000;
const FUTEX_WAIT = 128;
const FUTEX_WAKE = 129;
const SIG_BLOCK = 0;

let system: ScriptedKernel;
beforeEach(() => {
  system = new ScriptedKernel();
});

/** Puts a struct sigaction at an address. */
function action(address: number, handler: number, flags = 0): void {
  const { memory } = system.kernel;
  memory.writeI64(address, handler);
  memory.writeI64(address + 8, flags | SignalFlag.RESTORER);
  memory.writeI64(address + 16, 0x402000);
  memory.writeI64(address + 24, 0);
}

function timespec(address: number, nanoseconds: number): number {
  system.kernel.memory.writeI64(address, Math.floor(nanoseconds / 1e9));
  system.kernel.memory.writeI64(address + 8, nanoseconds % 1e9);
  return address;
}

describe("an application", () => {
  it("ends with the status of exit_group, and gives its memory back", async () => {
    const free = system.kernel.space.frames.free;
    const application = system.start(function* () {
      system.kernel.memory.fill(DATA, 100_000, 1);
      yield call("exit_group", 7);
    });
    await system.settle();
    expect(await application.exited).toBe(7 << 8);
    expect(system.kernel.space.frames.free).toBe(free);
    expect(system.kernel.threads.size).toBe(0);
    expect(system.kernel.applications.size).toBe(0);
  });

  it("ends when its last thread does, with all other threads gone", async () => {
    const application = system.start(function* () {
      yield cloneCall(function* () {
        yield call("exit", 3);
      }, THREAD);
      yield call("exit", 5);
    });
    await system.settle();
    expect(await application.exited).toBe(3 << 8);
  });

  it("is told once, by name, of calls that are not there", async () => {
    const results: number[] = [];
    system.start(function* () {
      results.push(yield call("init_module"), yield call("init_module"), yield call(99_999), yield call(-1));
    });
    await system.settle();
    expect(results).toEqual([-ENOSYS, -ENOSYS, -ENOSYS, -ENOSYS]);
    expect(system.log.filter((line) => line.includes("init_module is not implemented"))).toHaveLength(1);
  });
});

describe("threads", () => {
  it("take turns when they yield", async () => {
    const order: string[] = [];
    const worker = (name: string): Program =>
      function* () {
        for (let round = 0; round < 3; round++) {
          order.push(name);
          yield call("sched_yield");
        }
      };
    system.start(function* () {
      yield cloneCall(worker("a"), THREAD);
      yield cloneCall(worker("b"), THREAD);
    });
    await system.settle();
    expect(order.join("")).toBe("ababab");
  });

  it("leave a cleared word and a wake-up behind, as pthread_join needs", async () => {
    const results: number[] = [];
    const { memory } = system.kernel;
    system.start(function* () {
      memory.writeU32(DATA, 77);
      yield cloneCall(
        plain(() => {}),
        THREAD | CLEARTID,
        0,
        0,
        DATA,
        0,
      );
      results.push(yield call("futex", DATA, FUTEX_WAIT, 77, 0));
      results.push(memory.readU32(DATA));
    });
    await system.settle();
    expect(results).toEqual([0, 0]);
  });

  it("do not pile up over 10,000 of them", async () => {
    system.start(function* () {
      for (let count = 0; count < 10_000; count++) {
        yield cloneCall(
          plain(() => {}),
          THREAD,
        );
        yield call("sched_yield");
      }
    });
    await system.settle(50_000);
    expect(system.kernel.threads.size).toBe(0);
  });

  it("that sleep wake at their time, in the right order", async () => {
    const order: number[] = [];
    const sleeper = (milliseconds: number): Program =>
      function* () {
        yield call("nanosleep", timespec(DATA + milliseconds * 16, milliseconds * 1e6), 0);
        order.push(milliseconds, Math.round((system.clock.monotonic() - start) / 1e6));
      };
    const start = system.clock.monotonic();
    system.start(function* () {
      for (const time of [30, 10, 20]) yield cloneCall(sleeper(time), THREAD);
    });
    await system.settle();
    expect(order).toEqual([10, 10, 20, 20, 30, 30]);
  });
});

describe("futexes", () => {
  it("block only while the word has the value, and time out", async () => {
    const results: number[] = [];
    system.start(function* () {
      results.push(yield call("futex", DATA, FUTEX_WAIT, 1, 0));
      results.push(yield call("futex", DATA, FUTEX_WAIT, 0, timespec(DATA + 64, 5e6)));
    });
    await system.settle();
    expect(results).toEqual([-EAGAIN, -ETIMEDOUT]);
  });

  it("wake in the order of waiting", async () => {
    const order: number[] = [];
    const waiter = (index: number): Program =>
      function* () {
        yield call("futex", DATA, FUTEX_WAIT, 0, 0);
        order.push(index);
      };
    system.start(function* () {
      for (let index = 0; index < 4; index++) yield cloneCall(waiter(index), THREAD);
      yield call("sched_yield");
      order.push(100 + (yield call("futex", DATA, FUTEX_WAKE, 2)));
      yield call("sched_yield");
      order.push(200 + (yield call("futex", DATA, FUTEX_WAKE, 99)));
    });
    await system.settle();
    expect(order).toEqual([102, 0, 1, 202, 2, 3]);
  });

  it("with an owner are handed over, and detect a deadlock", async () => {
    const results: number[] = [];
    const LOCK_PI = 134;
    const UNLOCK_PI = 135;
    system.start(function* (thread) {
      results.push(yield call("futex", DATA, LOCK_PI, 0, 0));
      results.push(yield call("futex", DATA, LOCK_PI, 0, 0));
      yield cloneCall(function* (other) {
        results.push(yield call("futex", DATA, LOCK_PI, 0, 0));
        results.push(system.kernel.memory.readU32(DATA) - other.tid);
      }, THREAD);
      yield call("sched_yield");
      results.push(system.kernel.memory.readU32(DATA) - 0x80000000 - thread.tid);
      yield call("futex", DATA, UNLOCK_PI);
    });
    await system.settle();
    expect(results).toEqual([0, -EDEADLK, 0, 0, 0]);
  });
});

describe("signals", () => {
  it("run their handler before the call that sent them returns", async () => {
    const events: string[] = [];
    const handler = system.handler(function* () {
      events.push("handler");
      events.push(`gettid ${yield call("gettid")}`);
    });
    const application = system.start(function* (thread) {
      action(DATA, handler);
      yield call("rt_sigaction", SIGUSR1, DATA, 0, 8);
      events.push(`kill ${yield call("tgkill", thread.tid, thread.tid, SIGUSR1)}`);
    });
    await system.settle();
    expect(events).toEqual(["handler", `gettid ${application.pid}`, "kill 0"]);
  });

  it("restart a call with SA_RESTART and end it with EINTR without", async () => {
    const results: number[] = [];
    const handler = system.handler(plain(() => {}));
    for (const flags of [0, SignalFlag.RESTART]) {
      system = new ScriptedKernel();
      const own = system.handler(plain(() => {}));
      expect(own).toBe(handler);
      const application = system.start(function* () {
        action(DATA, own, flags);
        yield call("rt_sigaction", SIGUSR1, DATA, 0, 8);
        results.push(yield call("futex", DATA + 64, FUTEX_WAIT, 0, 0));
      });
      await system.settle();
      system.kernel.signals.sendToApplication(application, SIGUSR1, { code: 0 });
      await system.settle();
      system.kernel.futexes.wake(DATA + 64, false, 1, 0xffffffff);
      await system.settle();
    }
    expect(results).toEqual([-EINTR, 0]);
  });

  it.each(["kill", "tkill", "rt_sigqueueinfo"])(
    "that kill (%s) let nobody return to its program",
    async (name) => {
      let returned = false;
      const application = system.start(function* (thread) {
        const self = thread.application.pid;
        system.kernel.memory.writeU32(DATA + 8, 0xffffffff); // si_code of sigqueue(3)
        yield call(name, self, SIGKILL, DATA);
        returned = true;
      });
      await system.settle();
      expect(await application.exited).toBe(SIGKILL);
      expect(returned).toBe(false);
    },
  );

  it("that are ignored disturb nobody", async () => {
    const results: number[] = [];
    const application = system.start(function* () {
      action(DATA, 1);
      yield call("rt_sigaction", SIGUSR1, DATA, 0, 8);
      results.push(yield call("nanosleep", timespec(DATA, 50e6), 0));
    });
    await new Promise((resolve) => setImmediate(resolve));
    system.kernel.signals.sendToApplication(application, SIGUSR1, { code: 0 });
    await system.settle();
    expect(results).toEqual([0]);
  });

  it("wait while they are blocked", async () => {
    const events: string[] = [];
    const handler = system.handler(plain(() => void events.push("handler")));
    system.start(function* (thread) {
      action(DATA, handler);
      yield call("rt_sigaction", SIGUSR2, DATA, 0, 8);
      system.kernel.memory.writeI64(DATA, 1 << (SIGUSR2 - 1));
      yield call("rt_sigprocmask", SIG_BLOCK, DATA, 0, 8);
      yield call("tgkill", thread.tid, thread.tid, SIGUSR2);
      events.push("still here");
      yield call("rt_sigprocmask", 1, DATA, 0, 8);
      events.push("after");
    });
    await system.settle();
    expect(events).toEqual(["still here", "handler", "after"]);
  });

  it("kill, with a report for faults and none for SIGTERM", async () => {
    const first = system.start(function* (thread) {
      yield call("kill", thread.tid, SIGTERM);
    });
    await system.settle();
    expect(await first.exited).toBe(SIGTERM);
    expect(system.output).toEqual([]);
    const second = system.start(function* (thread) {
      yield call("kill", thread.tid, SIGSEGV);
    });
    await system.settle();
    expect(await second.exited).toBe(SIGSEGV);
    expect(system.output.join()).toContain("Segmentation fault");
  });

  it("stop and continue a whole application", async () => {
    let rounds = 0;
    const application = system.start(function* () {
      for (;;) {
        rounds++;
        yield call("nanosleep", timespec(DATA, 1e6), 0);
      }
    });
    const pause = async (): Promise<void> => {
      for (let turn = 0; turn < 5; turn++) {
        system.clock.fireNext();
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await pause();
    system.kernel.signals.sendToApplication(application, SIGSTOP, { code: 0 });
    await pause();
    const stopped = rounds;
    await pause();
    expect(rounds).toBe(stopped);
    system.kernel.signals.sendToApplication(application, 18, { code: 0 });
    await pause();
    expect(rounds).toBeGreaterThan(stopped);
    system.kernel.signals.sendToApplication(application, SIGKILL, { code: 0 });
    await system.settle();
    expect(await application.exited).toBe(SIGKILL);
  });

  it("come from alarms", async () => {
    const results: number[] = [];
    const handler = system.handler(plain(() => void results.push(14)));
    system.start(function* () {
      action(DATA, handler);
      yield call("rt_sigaction", SIGALRM, DATA, 0, 8);
      yield call("alarm", 2);
      results.push(yield call("pause"));
      results.push(yield call("alarm", 0));
    });
    await system.settle();
    expect(results).toEqual([14, -EINTR, 0]);
  });
});

describe("children", () => {
  it("of vfork run first; their parent goes on when they are gone and can wait for them", async () => {
    const events: (string | number)[] = [];
    const { memory } = system.kernel;
    system.start(function* () {
      const pid = yield {
        ...cloneCall(function* () {
          events.push("child");
          yield call("exit", 9);
        }, VFORK),
      };
      events.push("parent");
      events.push((yield call("wait4", pid, DATA, 0, 0)) - pid, memory.readU32(DATA));
      events.push(yield call("wait4", pid, DATA, 0, 0));
    });
    await system.settle();
    expect(events).toEqual(["child", "parent", 0, 9 << 8, -ECHILD]);
  });

  it("cannot be forked, which is said once", async () => {
    const results: number[] = [];
    system.start(function* () {
      results.push(yield call("fork"), yield call("clone", 17));
    });
    await system.settle();
    expect(results).toEqual([-ENOSYS, -ENOSYS]);
    expect(system.log.filter((line) => line.includes("fork is not possible"))).toHaveLength(1);
  });
});

describe("the trace", () => {
  it("prints calls as strace does", async () => {
    const { memory } = system.kernel;
    system.start(function* () {
      memory.write(DATA, new TextEncoder().encode("/no\tsuch\0"));
      yield call("open", DATA, 0x80241, 0o644);
      yield call("mmap", 0, 8192, 3, 0x22, -1, 0);
      yield call("nanosleep", timespec(DATA, 1e6), 0);
      yield call("exit_group", 0);
    });
    await system.settle();
    expect(system.trace).toEqual([
      '[pid 2] open("/no\\tsuch", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0644) = 0',
      "[pid 2] mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0x0) = 0x7ffff7ffc000",
      "[pid 2] nanosleep(0x500000, NULL) = 0",
      "[pid 2] exit_group(0) = ?",
      "[pid 2] +++ exited with 0 +++",
    ]);
  });
});
