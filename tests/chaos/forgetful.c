/* A file system that forgets what was not synced, as a disk does when the power goes.
 *
 *     forgetful FOLDER MOUNT        in the foreground, until MOUNT is unmounted
 *
 * The files are in FOLDER/files and can be read and written through MOUNT. Everything is written there at once; what was
 * there before is kept in memory until the program syncs, and put back when the power is cut:
 *
 *   data and size of a file       last until fsync, fdatasync or a write with O_SYNC, O_DSYNC or chattr +S says so
 *   names                         made, renamed or removed ones last from the next sync of any file or folder, in the order in
 *                                 which they came: so do the journals of ext4 and XFS
 *   owner, mode and times         last at once (nobody here depends on them)
 *
 * It is told what to do by extended attributes:
 *
 *   user.forget on MOUNT          a number: at the unmount what was not synced is lost. 0 loses all of it; any other number
 *                                 is a seed by which a part of it is lost, page by page, as a disk in the middle of its work
 *   user.full on a folder         1: no file below grows any more (ENOSPC); 0: they do
 *
 * An unmount without user.forget keeps everything, as an orderly end of a machine does. Pages that a program has mapped and
 * changed come here before the unmount, and are forgotten with the rest. The inodes are those of FOLDER/files, so that a
 * file that was removed while it is open, hard links and sockets work as usual. One lock is held by whatever changes
 * something. */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 35
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fs.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAGE 4096
#define FOREVER 3600.0            /* seconds that the kernel may remember names and attributes: nobody else changes them */
#define SYNC_MARK "user.sync"     /* on a file of FOLDER/files that has chattr +S */

/* A page as it was at the last sync. */
struct page { off_t number; char data[PAGE]; };

/* A file or folder that the kernel knows. */
struct node {
    struct node *next;            /* in its bucket of the table */
    ino_t ino;
    int fd;                       /* O_PATH */
    uint64_t lookups;             /* the kernel's */
    int refs;                     /* ours: the journal's, the dirty list's, and of what was found in it */
    struct node *parent;          /* the folder that it was found in */
    int full, sync;
    struct node *next_dirty;      /* while it has changes that are not synced: */
    int writer;                   /*   a descriptor to put them back by, or -1 */
    off_t synced_size;
    void *pages;                  /*   a tree of struct page */
};

/* A change of names that is not synced: `name` in `parent` was made, or came from `old_name` in `old_parent`. */
struct change {
    struct change *before;
    struct node *parent, *old_parent;
    char *name, *old_name;
    int exchanged;
};

#define BUCKETS 4096
static struct node *table[BUCKETS], root, removed, *dirty;
static struct change *journal;
static unsigned long changes, removals;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long forget = -1;          /* as user.forget says; -1: keep everything */

static struct node *node_of(fuse_ino_t ino) { return ino == FUSE_ROOT_ID ? &root : (struct node *)(uintptr_t)ino; }

static void reply(fuse_req_t req, int failed) { fuse_reply_err(req, failed ? errno : 0); }

static void fail(const char *what) { perror(what); exit(1); }

/* The path by which a node's file is reached, whatever its name is. */
static const char *path_of(struct node *node, char *path) { sprintf(path, "/proc/self/fd/%d", node->fd); return path; }
#define PATH(node) path_of(node, (char[32]){0})

static void unref(struct node *node, int count) {
    struct node **place;
    node->refs -= count;
    if (node == &root || node == &removed || node->refs || node->lookups) return;
    for (place = &table[node->ino % BUCKETS]; *place != node; place = &(*place)->next);
    *place = node->next;
    unref(node->parent, 1);
    close(node->fd);
    free(node);
}

/* ---- What is not synced ---- */

static int by_number(const void *a, const void *b) {
    off_t x = ((const struct page *)a)->number, y = ((const struct page *)b)->number;
    return (x > y) - (x < y);
}

static off_t size_of(struct node *node) {
    struct stat stat;
    return fstatat(node->fd, "", &stat, AT_EMPTY_PATH) ? 0 : stat.st_size;
}

/* Keep what a part of a file holds, before it changes. */
static int remember(struct node *node, off_t offset, off_t length) {
    if (node->writer < 0) {
        if ((node->writer = open(PATH(node), O_RDWR | O_CLOEXEC)) < 0) return -1;
        node->synced_size = size_of(node);
        node->next_dirty = dirty;
        dirty = node;
        node->refs++;
    }
    off_t end = offset + length < node->synced_size ? offset + length : node->synced_size;
    for (off_t number = offset / PAGE; number * PAGE < end; number++) {
        if (tfind(&(struct page){.number = number}, &node->pages, by_number)) continue;
        struct page *page = calloc(1, sizeof *page);
        page->number = number;
        if (pread(node->writer, page->data, PAGE, number * PAGE) < 0) { free(page); return -1; }
        tsearch(page, &node->pages, by_number);
    }
    return 0;
}

/* The file's data are on the disk: what was before is of no use any more. */
static void settle(struct node *node) {
    struct node **place = &dirty;
    if (node->writer < 0) return;
    while (*place != node) place = &(*place)->next_dirty;
    *place = node->next_dirty;
    tdestroy(node->pages, free);
    close(node->writer);
    node->pages = NULL;
    node->writer = -1;
    unref(node, 1);
}

static void note(struct node *parent, const char *name, struct node *old_parent, const char *old_name, int exchanged) {
    struct change *change = malloc(sizeof *change);
    *change = (struct change){journal, parent, old_parent, strdup(name), old_name ? strdup(old_name) : NULL, exchanged};
    parent->refs++;
    if (old_parent) old_parent->refs++;
    journal = change;
    changes++;
}

static void drop(struct change *change) {
    journal = change->before;
    unref(change->parent, 1);
    if (change->old_parent) unref(change->old_parent, 1);
    free(change->name);
    free(change->old_name);
    free(change);
    changes--;
}

static void unlink_any(struct node *parent, const char *name) {
    if (unlinkat(parent->fd, name, 0) && unlinkat(parent->fd, name, AT_REMOVEDIR) && errno != ENOENT) perror(name);
}

/* All names are on the disk; what was removed is. */
static void settle_names(void) {
    while (journal) {
        if (journal->parent == &removed) unlink_any(&removed, journal->name);
        drop(journal);
    }
}

static void put_back_page(const void *place, VISIT visit, void *closure) {
    struct node *node = closure;
    const struct page *page = *(struct page *const *)place;
    off_t rest = node->synced_size - page->number * PAGE;
    if ((visit != postorder && visit != leaf) || (forget && random() % 2)) return;
    if (pwrite(node->writer, page->data, rest < PAGE ? rest : PAGE, page->number * PAGE) < 0) fail("put back a page");
}

/* The power is gone: the last changes of names are undone, then the files are as they were at their last syncs. */
static void lose(void) {
    unsigned long files = 0, kept = forget ? random() % (changes + 1) : 0, lost = changes - kept;
    for (struct node *node = dirty; node; node = node->next_dirty, files++) {
        off_t size = size_of(node), grown = size - node->synced_size;
        if (forget && grown > 0 && random() % 2) size = node->synced_size + random() % (grown + 1);
        else size = node->synced_size;
        if (ftruncate(node->writer, size)) fail("put back a size");
        twalk_r(node->pages, put_back_page, node);
    }
    while (changes > kept) {
        struct change *last = journal;
        if (!last->old_parent) unlink_any(last->parent, last->name);
        else if (renameat2(last->parent->fd, last->name, last->old_parent->fd, last->old_name,
                           last->exchanged ? RENAME_EXCHANGE : 0)) fail(last->old_name);
        drop(last);
    }
    settle_names();
    fprintf(stderr, "forgot what was not synced in %lu files, and %lu changes of names\n", files, lost);
}

/* ---- Names ---- */

static struct node *find(ino_t ino) {
    struct node *node = table[ino % BUCKETS];
    while (node && node->ino != ino) node = node->next;
    return node;
}

static int enter(struct node *parent, const char *name, struct fuse_entry_param *entry) {
    char mark;
    int fd = openat(parent->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    memset(entry, 0, sizeof *entry);
    if (fd < 0) return -1;
    fstatat(fd, "", &entry->attr, AT_EMPTY_PATH);
    struct node *node = find(entry->attr.st_ino);
    if (node) {
        close(fd);
    } else {
        node = calloc(1, sizeof *node);
        *node = (struct node){.next = table[entry->attr.st_ino % BUCKETS], .ino = entry->attr.st_ino, .fd = fd, .writer = -1};
        node->parent = parent;
        parent->refs++;
        node->sync = getxattr(PATH(node), SYNC_MARK, &mark, 1) == 1;
        table[node->ino % BUCKETS] = node;
    }
    node->lookups++;
    entry->ino = (uintptr_t)node;
    entry->attr_timeout = entry->entry_timeout = FOREVER;
    return 0;
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name) {
    struct fuse_entry_param entry;
    pthread_mutex_lock(&lock);
    int failed = enter(node_of(parent), name, &entry);
    pthread_mutex_unlock(&lock);
    if (failed) reply(req, failed);
    else fuse_reply_entry(req, &entry);
}

static void do_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count) {
    pthread_mutex_lock(&lock);
    node_of(ino)->lookups -= count;
    unref(node_of(ino), 0);
    pthread_mutex_unlock(&lock);
    fuse_reply_none(req);
}

/* A new name: its owner is who asked, it has its folder's chattr +S, and it can be forgotten. */
static int made(fuse_req_t req, struct node *parent, const char *name, struct fuse_entry_param *entry) {
    const struct fuse_ctx *caller = fuse_req_ctx(req);
    if (fchownat(parent->fd, name, caller->uid, caller->gid, AT_SYMLINK_NOFOLLOW)) return -1;
    note(parent, name, NULL, NULL, 0);
    if (enter(parent, name, entry)) return -1;
    if (parent->sync) {
        struct node *node = node_of(entry->ino);
        node->sync = !setxattr(PATH(node), SYNC_MARK, "1", 1, 0);
        settle_names();
    }
    return 0;
}

static void make(fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode, dev_t device, const char *target) {
    struct node *parent = node_of(ino);
    struct fuse_entry_param entry;
    pthread_mutex_lock(&lock);
    int failed = target ? symlinkat(target, parent->fd, name)
               : S_ISDIR(mode) ? mkdirat(parent->fd, name, mode) : mknodat(parent->fd, name, mode, device);
    failed = failed || made(req, parent, name, &entry);
    pthread_mutex_unlock(&lock);
    if (failed) reply(req, failed);
    else fuse_reply_entry(req, &entry);
}

static void do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device) {
    make(req, parent, name, mode, device, NULL);
}

static void do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode) {
    make(req, parent, name, mode | S_IFDIR, 0, NULL);
}

static void do_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name) {
    make(req, parent, name, 0, 0, target);
}

static void do_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *name) {
    struct node *parent = node_of(new_parent);
    struct fuse_entry_param entry;
    pthread_mutex_lock(&lock);
    int failed = linkat(AT_FDCWD, PATH(node_of(ino)), parent->fd, name, AT_SYMLINK_FOLLOW);
    if (!failed) note(parent, name, NULL, NULL, 0);
    failed = failed || enter(parent, name, &entry);
    pthread_mutex_unlock(&lock);
    if (failed) reply(req, failed);
    else fuse_reply_entry(req, &entry);
}

static int is_empty(struct node *parent, const char *name) {
    int count = 0;
    DIR *folder = fdopendir(openat(parent->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!folder) return 1;
    while (count < 3 && readdir(folder)) count++;
    closedir(folder);
    return count < 3;
}

/* What is removed goes where it can be taken back from, until names are synced. */
static int bury(struct node *parent, const char *name) {
    char grave[32];
    if (!is_empty(parent, name)) { errno = ENOTEMPTY; return -1; }
    sprintf(grave, "%lu", removals++);
    if (renameat(parent->fd, name, removed.fd, grave)) return -1;
    note(&removed, grave, parent, name, 0);
    return 0;
}

static void do_remove(fuse_req_t req, fuse_ino_t ino, const char *name) {
    struct node *parent = node_of(ino);
    pthread_mutex_lock(&lock);
    int failed = bury(parent, name);
    if (!failed && parent->sync) settle_names();
    pthread_mutex_unlock(&lock);
    reply(req, failed);
}

static void do_rename(fuse_req_t req, fuse_ino_t from, const char *name, fuse_ino_t to, const char *new_name,
                      unsigned flags) {
    struct node *parent = node_of(from), *new_parent = node_of(to);
    struct stat old, new;
    pthread_mutex_lock(&lock);
    int failed = fstatat(parent->fd, name, &old, AT_SYMLINK_NOFOLLOW);
    int there = !fstatat(new_parent->fd, new_name, &new, AT_SYMLINK_NOFOLLOW);
    if (!failed && !(there && !flags && old.st_ino == new.st_ino)) {  /* else two names of one file: nothing happens */
        failed = there && !flags && bury(new_parent, new_name);
        failed = failed || renameat2(parent->fd, name, new_parent->fd, new_name, flags);
        if (!failed) note(new_parent, new_name, parent, name, flags == RENAME_EXCHANGE);
        if (!failed && (parent->sync || new_parent->sync)) settle_names();
    }
    pthread_mutex_unlock(&lock);
    reply(req, failed);
}

static void do_readlink(fuse_req_t req, fuse_ino_t ino) {
    char target[PATH_MAX + 1];
    ssize_t length = readlinkat(node_of(ino)->fd, "", target, PATH_MAX);
    if (length < 0) { reply(req, 1); return; }
    target[length] = 0;
    fuse_reply_readlink(req, target);
}

/* ---- Files ---- */

/* Whether a file may not grow as far as that. */
static int is_full(struct node *node, off_t end) {
    struct node *folder = node;
    while (folder && !folder->full) folder = folder->parent;
    return folder && end > size_of(node);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file) {
    struct stat stat;
    (void)file;
    if (fstatat(node_of(ino)->fd, "", &stat, AT_EMPTY_PATH)) reply(req, 1);
    else fuse_reply_attr(req, &stat, FOREVER);
}

static int resize(struct node *node, off_t size) {
    off_t now = size_of(node);
    if (is_full(node, size)) { errno = ENOSPC; return -1; }
    if (remember(node, size, now > size ? now - size : 0)) return -1;
    if (ftruncate(node->writer, size)) return -1;
    if (node->sync) settle(node);
    return 0;
}

static void do_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set, struct fuse_file_info *file) {
    struct node *node = node_of(ino);
    int failed = 0;
    pthread_mutex_lock(&lock);
    if (set & FUSE_SET_ATTR_MODE) failed = chmod(PATH(node), attr->st_mode);
    if (!failed && set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
        failed = fchownat(node->fd, "", set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1,
                          set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1, AT_EMPTY_PATH);
    if (!failed && set & FUSE_SET_ATTR_SIZE) failed = resize(node, attr->st_size);
    if (!failed && set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) {
        struct timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
        if (set & FUSE_SET_ATTR_ATIME_NOW) times[0].tv_nsec = UTIME_NOW;
        else if (set & FUSE_SET_ATTR_ATIME) times[0] = attr->st_atim;
        if (set & FUSE_SET_ATTR_MTIME_NOW) times[1].tv_nsec = UTIME_NOW;
        else if (set & FUSE_SET_ATTR_MTIME) times[1] = attr->st_mtim;
        failed = utimensat(AT_FDCWD, PATH(node), times, 0);
    }
    pthread_mutex_unlock(&lock);
    if (failed) reply(req, failed);
    else do_getattr(req, ino, file);
}

/* The kernel says where to append; and it may want to read a page of a file that is only written. */
static int flags_of(struct fuse_file_info *file) {
    int flags = file->flags & ~(O_APPEND | O_TRUNC | O_CREAT | O_EXCL | O_NOFOLLOW | O_SYNC | O_DSYNC | O_DIRECT);
    return (flags & O_ACCMODE) == O_WRONLY ? (flags & ~O_ACCMODE) | O_RDWR : flags;
}

static int open_node(struct node *node, struct fuse_file_info *file) {
    int fd = open(PATH(node), flags_of(file) | O_CLOEXEC);
    file->fh = fd;
    file->keep_cache = 1;
    if (fd >= 0 && file->flags & O_TRUNC && resize(node, 0)) { close(fd); return -1; }
    return fd < 0 ? -1 : 0;
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file) {
    pthread_mutex_lock(&lock);
    int failed = open_node(node_of(ino), file);
    pthread_mutex_unlock(&lock);
    if (failed) reply(req, failed);
    else fuse_reply_open(req, file);
}

static void do_create(fuse_req_t req, fuse_ino_t ino, const char *name, mode_t mode, struct fuse_file_info *file) {
    struct node *parent = node_of(ino);
    struct fuse_entry_param entry;
    pthread_mutex_lock(&lock);
    int fd = openat(parent->fd, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode), failed = 0;
    if (fd >= 0) {
        close(fd);
        failed = made(req, parent, name, &entry);
    } else {
        failed = errno != EEXIST || file->flags & O_EXCL || enter(parent, name, &entry);
    }
    failed = failed || open_node(node_of(entry.ino), file);
    pthread_mutex_unlock(&lock);
    if (failed) reply(req, failed);
    else fuse_reply_create(req, &entry, file);
}

static void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *file) {
    struct fuse_bufvec buffer = FUSE_BUFVEC_INIT(size);
    (void)ino;
    buffer.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
    buffer.buf[0].fd = file->fh;
    buffer.buf[0].pos = offset;
    fuse_reply_data(req, &buffer, 0);
}

static void do_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
                     struct fuse_file_info *file) {
    struct node *node = node_of(ino);
    ssize_t written = -1;
    pthread_mutex_lock(&lock);
    if (is_full(node, offset + size)) errno = ENOSPC;
    else if (!remember(node, offset, size)) written = pwrite(file->fh, data, size, offset);
    /* Pages that were changed through a mapping come later, and are not synced by these. */
    if (written >= 0 && !file->writepage && (node->sync || file->flags & O_DSYNC)) { settle(node); settle_names(); }
    pthread_mutex_unlock(&lock);
    if (written < 0) reply(req, 1);
    else fuse_reply_write(req, written);
}

static void do_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                         struct fuse_file_info *file) {
    struct node *node = node_of(ino);
    int failed = 1;
    pthread_mutex_lock(&lock);
    if (is_full(node, offset + length)) errno = ENOSPC;
    else failed = remember(node, offset, mode & ~FALLOC_FL_KEEP_SIZE ? length : 0) || fallocate(file->fh, mode, offset, length);
    pthread_mutex_unlock(&lock);
    reply(req, failed);
}

static void do_fsync(fuse_req_t req, fuse_ino_t ino, int only_data, struct fuse_file_info *file) {
    (void)only_data, (void)file;
    pthread_mutex_lock(&lock);
    settle(node_of(ino));
    settle_names();
    pthread_mutex_unlock(&lock);
    fuse_reply_err(req, 0);
}

static void do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file) {
    (void)ino;
    close(file->fh);
    fuse_reply_err(req, 0);
}

static void do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file) {
    DIR *folder = fdopendir(openat(node_of(ino)->fd, ".", O_RDONLY | O_CLOEXEC));
    file->fh = (uintptr_t)folder;
    if (!folder) reply(req, 1);
    else fuse_reply_open(req, file);
}

static void do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *file) {
    DIR *folder = (DIR *)(uintptr_t)file->fh;
    char *buffer = malloc(size);
    size_t used = 0;
    (void)ino;
    seekdir(folder, offset);
    for (struct dirent *each; (each = readdir(folder));) {
        struct stat stat = {.st_ino = each->d_ino, .st_mode = (mode_t)each->d_type << 12};
        size_t more = fuse_add_direntry(req, buffer + used, size - used, each->d_name, &stat, each->d_off);
        if (more > size - used) break;
        used += more;
    }
    fuse_reply_buf(req, buffer, used);
    free(buffer);
}

static void do_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *file) {
    (void)ino;
    closedir((DIR *)(uintptr_t)file->fh);
    fuse_reply_err(req, 0);
}

static void do_statfs(fuse_req_t req, fuse_ino_t ino) {
    struct statvfs stat;
    (void)ino;
    if (fstatvfs(root.fd, &stat)) reply(req, 1);
    else fuse_reply_statfs(req, &stat);
}

/* ---- What it is told ---- */

static void do_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags) {
    char number[32] = {0};
    int known = 1;
    (void)flags;
    memcpy(number, value, size < sizeof number ? size : sizeof number - 1);
    pthread_mutex_lock(&lock);
    if (ino == FUSE_ROOT_ID && !strcmp(name, "user.forget")) forget = atol(number);
    else if (!strcmp(name, "user.full")) node_of(ino)->full = atol(number) != 0;
    else known = 0;
    pthread_mutex_unlock(&lock);
    fuse_reply_err(req, known ? 0 : ENOTSUP);
}

/* chattr +S, and lsattr. */
static void do_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned command, void *arg, struct fuse_file_info *file,
                     unsigned flags, const void *in, size_t in_size, size_t out_size) {
    struct node *node = node_of(ino);
    int answer = node->sync ? FS_SYNC_FL : 0;
    struct fsxattr attributes = {.fsx_xflags = node->sync ? FS_XFLAG_SYNC : 0};
    (void)arg, (void)file, (void)flags;
    if (command == (unsigned)FS_IOC_GETFLAGS && out_size >= sizeof answer) {
        fuse_reply_ioctl(req, 0, &answer, sizeof answer);
    } else if (command == (unsigned)FS_IOC_FSGETXATTR && out_size >= sizeof attributes) {  /* the kernel asks before it sets */
        fuse_reply_ioctl(req, 0, &attributes, sizeof attributes);
    } else if (command == (unsigned)FS_IOC_SETFLAGS && in_size >= sizeof answer) {
        node->sync = (*(const int *)in & FS_SYNC_FL) != 0;
        int failed = node->sync ? setxattr(PATH(node), SYNC_MARK, "1", 1, 0) : removexattr(PATH(node), SYNC_MARK);
        if (failed) reply(req, failed);
        else fuse_reply_ioctl(req, 0, NULL, 0);
    } else {
        fuse_reply_err(req, ENOTTY);
    }
}

static void do_init(void *data, struct fuse_conn_info *connection) {
    (void)data;
    connection->max_write = 1 << 20;
    connection->want |= connection->capable & (FUSE_CAP_IOCTL_DIR | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_SPLICE_READ);
    connection->want &= ~(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_AUTO_INVAL_DATA);
}

static const struct fuse_lowlevel_ops operations = {
    .init = do_init, .lookup = do_lookup, .forget = do_forget, .getattr = do_getattr, .setattr = do_setattr,
    .readlink = do_readlink, .mknod = do_mknod, .mkdir = do_mkdir, .unlink = do_remove, .rmdir = do_remove,
    .symlink = do_symlink, .rename = do_rename, .link = do_link, .open = do_open, .create = do_create, .read = do_read,
    .write = do_write, .fallocate = do_fallocate, .release = do_release, .fsync = do_fsync, .opendir = do_opendir,
    .readdir = do_readdir, .releasedir = do_releasedir, .fsyncdir = do_fsync, .statfs = do_statfs,
    .setxattr = do_setxattr, .ioctl = do_ioctl,
};

static void open_root(struct node *node, int folder, const char *name) {
    struct stat stat;
    if (mkdirat(folder, name, 0755) && errno != EEXIST) fail(name);
    node->fd = openat(folder, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (node->fd < 0 || fstatat(node->fd, "", &stat, AT_EMPTY_PATH)) fail(name);
    node->ino = stat.st_ino;
    node->writer = -1;
}

int main(int count, char **arguments) {
    char *options[] = {arguments[0], "-o", "allow_other,default_permissions,fsname=forgetful", NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, options);
    struct rlimit files = {1 << 20, 1 << 20};
    if (count != 3) { fprintf(stderr, "usage: %s FOLDER MOUNT\n", arguments[0]); return 2; }
    int folder = open(arguments[1], O_RDONLY | O_DIRECTORY);
    if (folder < 0) fail(arguments[1]);
    open_root(&root, folder, "files");
    open_root(&removed, folder, "removed");
    umask(0);
    setrlimit(RLIMIT_NOFILE, &files);
    struct fuse_session *session = fuse_session_new(&args, &operations, sizeof operations, NULL);
    if (!session || fuse_set_signal_handlers(session) || fuse_session_mount(session, arguments[2])) return 1;
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_clone_fd(config, 1);
    int result = fuse_session_loop_mt(session, config);
    fuse_session_unmount(session);
    if (forget > 0) srandom(forget);
    if (forget >= 0) lose();
    else settle_names();
    return result != 0;
}
