// The shim: preloaded into a real server, it sees every call on files below one directory, counts them all with one
// counter (main thread, pool and workers alike), and lets one fail, lie, wait or kill, as it is told while the server runs.
//
//   FAULTS_DIR=/data FAULTS_CONTROL=/file LD_PRELOAD=shim.so node dist/main.js --dir /data ...
//
// The control file is mapped by the server and written by the test (control.ts draws the same table). Integers are
// little-endian.
//
//   offset     size  field
//        0        8  calls: how many so far
//        8        8  fired: to how many of them something was done
//       16        4  held: calls that wait at the gate now
//       20        4  gate: 0 open, else closed
//       64   16 x 64 rules: action u32 (0: none), kinds u32 (a bit each), from u64 (the first call it may happen to), left u32
//                    (to how many; 0xffffffff: for ever), value i32 (errno, or ms), name[40] (how the file's name ends)
//     4096  16384 x 64 what was called: number u64, kind u32, action u32, bytes u32, errno i32, name[40]; a ring
//
// A file is known by its descriptor, from open to close; libuv closes by way of syscall(), which is therefore seen too.
// Of the Linux calls of libuv those are here that an engine makes through node:fs. The flock program, which inherits the
// preload, names no file below the directory.

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { OPEN, CREATE, READ, WRITE, SYNC, SYNC_DIRECTORY, SIZE, CLOSE, RENAME, UNLINK, MAKE_DIRECTORY, LIST, SPACE };
enum action {
  NOTHING, FAIL, SHORT, KILL_BEFORE, KILL_HALF, KILL_AFTER, LIE_NOTHING, LIE_HALF, LIE_OTHER, DELAY, HOLD,
};

#define RULES 16
#define RING 16384
#define NAME 40
#define FILES 4096
#define FOR_EVER 0xffffffffu

struct rule {
  _Atomic uint32_t action;
  uint32_t kinds;
  uint64_t from;
  _Atomic uint32_t left;
  int32_t value;
  char name[NAME];
};

struct call {
  uint64_t number;
  uint32_t kind;
  uint32_t action;
  uint32_t bytes;
  int32_t error;
  char name[NAME];
};

struct control {
  _Atomic uint64_t calls;
  _Atomic uint64_t fired;
  _Atomic uint32_t held;
  _Atomic uint32_t gate;
  char unused[40];
  struct rule rules[RULES];
  char more[4096 - 64 - RULES * sizeof(struct rule)];
  struct call ring[RING];
};
_Static_assert(sizeof(struct rule) == 64 && sizeof(struct call) == 64, "control.ts knows these sizes");

struct file {
  char known;       // it lies below the directory
  char directory;
  uint8_t full;        // the errno of what follows a short write; 0: none was made
  char name[NAME];
};

static struct control *control;
static char root[4096];
static size_t root_length;
static struct file files[FILES];
static _Atomic long slow_reads;

#define REAL(name) \
  static __typeof__(&name) real; \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int (*real_open)(const char *, int, ...);

__attribute__((constructor)) static void begin(void) {
  real_open = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
  const char *directory = getenv("FAULTS_DIR");
  const char *path = getenv("FAULTS_CONTROL");
  if (directory == NULL || path == NULL || strlen(directory) >= sizeof root) return;
  strcpy(root, directory);
  root_length = strlen(root);
  int fd = real_open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *at = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  syscall(SYS_close, fd);
  if (at != MAP_FAILED) control = at;
}

// The name below the directory, or NULL: not ours.
static const char *below(const char *path) {
  if (control == NULL || path == NULL || strncmp(path, root, root_length) != 0) return NULL;
  const char *rest = path + root_length;
  if (*rest == 0) return ".";
  if (*rest != '/') return NULL;
  while (*rest == '/') rest++;
  return *rest == 0 ? "." : rest;
}

static struct file *known(int fd) {
  return control != NULL && fd >= 0 && fd < FILES && files[fd].known ? &files[fd] : NULL;
}

static int ends_with(const char *name, const char *ending) {
  size_t a = strlen(name), b = strnlen(ending, NAME);
  return b <= a && memcmp(name + a - b, ending, b) == 0;
}

static void nap(int milliseconds) {
  struct timespec rest = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
  while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {}
}

__attribute__((noreturn)) static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

struct fate {
  enum action action;
  int error;
  struct call *entry;
};

// Counts a call, notes it, and says what befalls it. Waiting and dying before are done here.
static struct fate judge(enum kind kind, const char *name, size_t bytes) {
  struct fate fate = {NOTHING, 0, NULL};
  uint64_t number = atomic_fetch_add(&control->calls, 1) + 1;
  struct call *entry = &control->ring[(number - 1) % RING];
  int value = 0;
  for (int i = 0; i < RULES && fate.action == NOTHING; i++) {
    struct rule *rule = &control->rules[i];
    uint32_t action = atomic_load(&rule->action);
    if (action == NOTHING || number < rule->from || (rule->kinds & 1u << kind) == 0 || !ends_with(name, rule->name)) continue;
    uint32_t left = atomic_load(&rule->left);
    while (left != 0 && left != FOR_EVER && !atomic_compare_exchange_weak(&rule->left, &left, left - 1)) {}
    if (left == 0) continue;
    fate.action = action;
    value = rule->value;
  }
  entry->number = number;
  entry->kind = kind;
  entry->action = fate.action;
  entry->bytes = bytes;
  entry->error = 0;
  strncpy(entry->name, name, NAME - 1);
  fate.entry = entry;
  if (fate.action == NOTHING) return fate;
  atomic_fetch_add(&control->fired, 1);
  if (fate.action == FAIL || fate.action == SHORT) fate.error = value;
  if (fate.action == KILL_BEFORE) die();
  if (fate.action == DELAY) nap(value);
  if (fate.action == HOLD) {
    atomic_fetch_add(&control->held, 1);
    while (atomic_load(&control->gate) != 0) nap(1);
    atomic_fetch_sub(&control->held, 1);
  }
  return fate;
}

static int failed(struct fate fate) {
  fate.entry->error = fate.error;
  errno = fate.error;
  return -1;
}

static void after(struct fate fate) {
  if (fate.action == KILL_AFTER || fate.action == KILL_HALF) die();
}

// A call that is done or not done, with nothing between.
#define WHOLE(kind, name, make, lie) do { \
    struct fate fate = judge(kind, name, 0); \
    if (fate.action == FAIL || fate.action == SHORT) return failed(fate); \
    if (fate.action >= LIE_NOTHING && fate.action <= LIE_OTHER) return lie; \
    int result = make, error = errno; \
    if (result < 0) fate.entry->error = error; \
    after(fate); \
    errno = error; \
    return result; \
  } while (0)

static int opened(int fd, const char *name, int flags) {
  if (fd < 0 || fd >= FILES) return fd;
  struct file *file = &files[fd];
  file->known = 0;
  if (name == NULL) return fd;
  struct stat stat;
  file->full = 0;
  file->directory = (flags & O_ACCMODE) == O_RDONLY && fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode);
  memset(file->name, 0, NAME);
  strncpy(file->name, name, NAME - 1);
  file->known = 1;
  return fd;
}

static int open_with(const char *path, int flags, mode_t mode) {
  if (real_open == NULL) real_open = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
  const char *name = below(path);
  if (name == NULL) return opened(real_open(path, flags, mode), NULL, flags);
  struct fate fate = judge(flags & O_CREAT ? CREATE : OPEN, name, 0);
  if (fate.action == FAIL || fate.action == SHORT) return failed(fate);
  int fd = opened(real_open(path, flags, mode), name, flags);
  int error = errno;
  if (fd < 0) fate.entry->error = error;
  after(fate);
  errno = error;
  return fd;
}

static mode_t mode_of(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; }

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return open_with(path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return open_with(path, flags, mode);
}

static size_t length_of(const struct iovec *parts, int count) {
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  return length;
}

// All that the real call would write, as one piece, so that half of it is half of the bytes.
static ssize_t write_bytes(int fd, const char *bytes, size_t length, off64_t at) {
  REAL(pwrite64);
  struct file *file = known(fd);
  if (file == NULL) return real(fd, bytes, length, at);
  struct fate fate = judge(WRITE, file->name, length);
  // libuv goes on after a short write, and hears then why it was short.
  if (file->full != 0) {
    fate.error = file->full;
    file->full = 0;
    return failed(fate);
  }
  switch (fate.action) {
    case FAIL:
      return failed(fate);
    case SHORT:
      file->full = fate.error;
      fate.entry->error = fate.error;
      return real(fd, bytes, length / 2, at);
    case KILL_HALF:
      real(fd, bytes, length / 2, at);
      die();
    case LIE_NOTHING:
      return length;
    case LIE_HALF:
      real(fd, bytes, length / 2, at);
      return length;
    case LIE_OTHER: {
      char *others = malloc(length + 1);
      for (size_t i = 0; i < length; i++) others[i] = bytes[i] ^ 0x5a;
      real(fd, others, length, at);
      free(others);
      return length;
    }
    default: {
      ssize_t written = real(fd, bytes, length, at);
      int error = errno;
      if (written < 0) fate.entry->error = error;
      after(fate);
      errno = error;
      return written;
    }
  }
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return write_bytes(fd, bytes, length, at); }

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return write_bytes(fd, bytes, length, at); }

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
  REAL(pwritev64);
  if (known(fd) == NULL) return real(fd, parts, count, at);
  char *bytes = malloc(length_of(parts, count) + 1), *to = bytes;
  for (int i = 0; i < count; i++) to = (char *)memcpy(to, parts[i].iov_base, parts[i].iov_len) + parts[i].iov_len;
  ssize_t written = write_bytes(fd, bytes, to - bytes, at);
  int error = errno;
  free(bytes);
  errno = error;
  return written;
}

// What a disk that lies about reads gives: nothing but zeros, zeros for the second half, or one bit that is another.
static ssize_t falsify(enum action action, char *bytes, ssize_t length) {
  if (length <= 0) return length;
  if (action == LIE_NOTHING) memset(bytes, 0, length);
  if (action == LIE_HALF) memset(bytes + length / 2, 0, length - length / 2);
  if (action == LIE_OTHER) bytes[length / 2] ^= 0x10;
  return length;
}

static ssize_t read_bytes(int fd, char *bytes, size_t length, off64_t at) {
  REAL(pread64);
  struct file *file = known(fd);
  if (file == NULL) return real(fd, bytes, length, at);
  struct fate fate = judge(READ, file->name, length);
  if (fate.action == FAIL || fate.action == SHORT) return failed(fate);
  if (fate.action == DELAY || fate.action == HOLD) atomic_fetch_add(&slow_reads, 1);
  ssize_t got = real(fd, bytes, length, at);
  int error = errno;
  if (got < 0) fate.entry->error = error;
  after(fate);
  errno = error;
  return falsify(fate.action, bytes, got);
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t at) { return read_bytes(fd, bytes, length, at); }

ssize_t pread(int fd, void *bytes, size_t length, off_t at) { return read_bytes(fd, bytes, length, at); }

// Servers that want to know whether a slow read came from a disk ask for the count of blocks. Those that were made slow here did.
int getrusage(__rusage_who_t who, struct rusage *into) {
  REAL(getrusage);
  int result = real(who, into);
  if (result == 0) into->ru_inblock += atomic_load(&slow_reads);
  return result;
}

static int sync_file(int fd, int (*real)(int)) {
  struct file *file = known(fd);
  if (file == NULL) return real(fd);
  WHOLE(file->directory ? SYNC_DIRECTORY : SYNC, file->name, real(fd), 0);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  return sync_file(fd, real);
}

int fsync(int fd) {
  REAL(fsync);
  return sync_file(fd, real);
}

int rename(const char *from, const char *to) {
  REAL(rename);
  const char *name = below(to);
  if (name == NULL) return real(from, to);
  WHOLE(RENAME, name, real(from, to), 0);
}

int unlink(const char *path) {
  REAL(unlink);
  const char *name = below(path);
  if (name == NULL) return real(path);
  WHOLE(UNLINK, name, real(path), 0);
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  const char *name = below(path);
  if (name == NULL) return real(path, mode);
  WHOLE(MAKE_DIRECTORY, name, real(path, mode), 0);
}

int scandir64(const char *path, struct dirent64 ***list, int (*filter)(const struct dirent64 *),
              int (*compare)(const struct dirent64 **, const struct dirent64 **)) {
  REAL(scandir64);
  const char *name = below(path);
  if (name == NULL) return real(path, list, filter, compare);
  WHOLE(LIST, name, real(path, list, filter, compare), real(path, list, filter, compare));
}

int statfs64(const char *path, struct statfs64 *into) {
  REAL(statfs64);
  const char *name = below(path);
  if (name == NULL) return real(path, into);
  WHOLE(SPACE, name, real(path, into), real(path, into));
}

// libuv asks for a file's size and closes it this way. A close that fails has closed all the same.
long syscall(long number, ...) {
  static long (*real)(long, ...);
  if (real == NULL) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  va_list rest;
  long a[6];
  va_start(rest, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
  struct file *file = number == SYS_close || number == SYS_statx ? known(a[0]) : NULL;
  if (file == NULL) return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  struct fate fate = judge(number == SYS_close ? CLOSE : SIZE, file->name, 0);
  // Forgotten before it is closed: the number may be another file's at once.
  if (number == SYS_close) file->known = 0;
  else if (fate.action == FAIL) return failed(fate);
  long result = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  int error = errno;
  after(fate);
  if (fate.action == FAIL) return failed(fate);
  errno = error;
  return result;
}
