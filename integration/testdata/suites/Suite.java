import java.io.*;
import java.net.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

/** What a virtual machine does with signals, threads, memory and processes. */
public class Suite {
    interface Step { boolean run() throws Exception; }

    static void check(String name, Step step) {
        try {
            System.out.println((step.run() ? "pass " : "fail ") + name);
        } catch (Throwable e) {
            System.out.println("fail " + name + ": " + e);
        }
    }

    static class Node { int value; }

    static String output(String... command) throws Exception {
        Process p = new ProcessBuilder(command).redirectErrorStream(true).start();
        p.getOutputStream().close();
        return new String(p.getInputStream().readAllBytes()).trim() + " " + p.waitFor();
    }

    public static void main(String[] args) throws Exception {
        if (args.length > 0) {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
            System.out.println("ready");
            Thread.sleep(1000000);
        }
        // A fault in compiled code becomes an exception: SIGSEGV, SIGFPE.
        check("null", () -> {
            int caught = 0;
            for (int i = 0; i < 200000; i++) {
                Node n = i % 1000 == 999 ? null : new Node();
                try { n.value++; } catch (NullPointerException e) { caught++; }
            }
            return caught == 200;
        });
        check("division", () -> {
            int caught = 0;
            for (int i = 0; i < 100000; i++) {
                try { if (1 / (i % 100) > 1) return false; } catch (ArithmeticException e) { caught++; }
            }
            return caught == 1000;
        });
        check("overflow", () -> {
            int caught = 0;
            for (int i = 0; i < 20; i++) {
                try { deep(0); } catch (StackOverflowError e) { caught++; }
            }
            return caught == 20;
        });
        check("threads", () -> {
            ExecutorService pool = Executors.newFixedThreadPool(50);
            AtomicLong sum = new AtomicLong();
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < 2000; i++) {
                int n = i;
                all.add(pool.submit(() -> { sum.addAndGet(n); Thread.yield(); }));
            }
            for (Future<?> f : all) f.get();
            pool.shutdown();
            return pool.awaitTermination(1, TimeUnit.MINUTES) && sum.get() == 1999000;
        });
        // Safepoints: all threads are stopped while they compute.
        check("collections", () -> {
            AtomicBoolean over = new AtomicBoolean();
            Thread[] busy = new Thread[4];
            for (int i = 0; i < busy.length; i++) {
                busy[i] = new Thread(() -> {
                    List<byte[]> kept = new LinkedList<>();
                    while (!over.get()) {
                        kept.add(new byte[10000]);
                        if (kept.size() > 100) kept.clear();
                    }
                });
                busy[i].start();
            }
            for (int i = 0; i < 10; i++) { System.gc(); Thread.getAllStackTraces(); }
            over.set(true);
            for (Thread t : busy) t.join();
            return true;
        });
        check("interrupt", () -> {
            Thread t = new Thread(() -> { try { Thread.sleep(1000000); } catch (InterruptedException e) { } });
            t.start();
            t.interrupt();
            t.join();
            return true;
        });
        check("processes", () -> {
            for (int i = 0; i < 20; i++)
                if (!output("sh", "-c", "echo " + i + "; exit " + i).equals(i + " " + i)) return false;
            return true;
        });
        check("destroyed", () -> {
            Process p = new ProcessBuilder("sleep", "1000").start();
            p.destroy();
            return p.waitFor() == 143;
        });
        check("onExit", () -> new ProcessBuilder("true").start().onExit().get(1, TimeUnit.MINUTES).exitValue() == 0);
        check("missing", () -> {
            try { new ProcessBuilder("no-such-command").start(); } catch (IOException e) { return e.getMessage().contains("error=2,"); }
            return false;
        });
        check("handle", () -> ProcessHandle.current().info().command().get().endsWith("java"));
        check("server", () -> {
            try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
                Thread t = new Thread(() -> {
                    for (int i = 0; i < 100; i++)
                        try (Socket s = server.accept()) { s.getOutputStream().write(s.getInputStream().readNBytes(5)); } catch (IOException e) { }
                });
                t.start();
                for (int i = 0; i < 100; i++)
                    try (Socket s = new Socket(server.getInetAddress(), server.getLocalPort())) {
                        s.getOutputStream().write("hello".getBytes());
                        if (!new String(s.getInputStream().readNBytes(5)).equals("hello")) return false;
                    }
                t.join();
            }
            return true;
        });
        // A channel's blocked thread is freed by a signal of its own.
        check("closed", () -> {
            ServerSocketChannel c = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            CompletableFuture<String> got = new CompletableFuture<>();
            Thread t = new Thread(() -> { try { c.accept(); } catch (Exception e) { got.complete(e.getClass().getSimpleName()); } });
            t.start();
            Thread.sleep(50);
            c.close();
            t.join();
            return got.get().endsWith("CloseException") || got.get().equals("ClosedChannelException");
        });
        check("files", () -> {
            Path p = Files.createTempFile(Path.of("."), "suite", "");
            Files.write(p, IntStream.range(0, 1000).mapToObj(Integer::toString).toList());
            try (FileChannel c = FileChannel.open(p, StandardOpenOption.READ)) {
                MappedByteBuffer m = c.map(FileChannel.MapMode.READ_ONLY, 0, c.size());
                if (m.get(0) != '0') return false;
            }
            return Files.readAllLines(p).size() == 1000 && Files.deleteIfExists(p);
        });
        check("killed", () -> {
            String java = ProcessHandle.current().info().command().get();
            Process p = new ProcessBuilder(java, "-cp", System.getProperty("java.class.path"), "Suite", "wait").start();
            BufferedReader r = p.inputReader();
            r.readLine();
            output("kill", "-QUIT", Long.toString(p.pid()));
            String line;
            while ((line = r.readLine()) != null && !line.startsWith("Full thread dump")) { }
            output("kill", Long.toString(p.pid()));
            boolean hook = false;
            while ((line = r.readLine()) != null) hook |= line.equals("hook");
            return hook && p.waitFor() == 143;
        });
    }

    static int deep(int n) { return deep(n + 1) + 1; }
}
