#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Declared as in the sanitizers' <sanitizer/allocator_interface.h>, which gcc does not include. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *memory);

static _Thread_local struct {
    bool on;
    ptrdiff_t live, most, allowed; /* bytes; negative after earlier blocks were freed */
    size_t fixed, size;
} watch;

static void give_up(size_t size) {
    watch.on = false;
    fprintf(stderr,
            "too much memory: %td bytes are allocated for an input of %zu bytes, the last %zu of "
            "them here; %td are allowed\n",
            watch.live, watch.size, size, watch.allowed);
    abort();
}

static void on_malloc(const volatile void *memory, size_t size) {
    if (!watch.on || memory == NULL) {
        return;
    }
    watch.live += (ptrdiff_t)size;
    watch.most = watch.live > watch.most ? watch.live : watch.most;
    if (watch.live > watch.allowed) {
        give_up(size);
    }
}

static void on_free(const volatile void *memory) {
    if (watch.on && memory != NULL) {
        watch.live -= (ptrdiff_t)__sanitizer_get_allocated_size(memory);
    }
}

void fuzz_watch(size_t fixed, size_t factor, size_t size) {
    static bool installed;
    if (!installed) {
        installed = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0;
    }
    watch.live = watch.most = 0;
    watch.allowed = (ptrdiff_t)(fixed + factor * size);
    watch.fixed = fixed;
    watch.size = size;
    watch.on = true;
}

void fuzz_unwatch(void) {
    static size_t largest_fixed;
    static double largest_factor;
    watch.on = false;
    if (getenv("FUZZ_COSTS") == NULL) {
        return;
    }
    const size_t most = watch.most > 0 ? (size_t)watch.most : 0;
    const double factor =
        most > watch.fixed ? (double)(most - watch.fixed) / (double)(watch.size + 1) : 0;
    if (most > largest_fixed || factor > largest_factor) {
        largest_fixed = most > largest_fixed ? most : largest_fixed;
        largest_factor = factor > largest_factor ? factor : largest_factor;
        fprintf(stderr, "costs: %zu bytes for %zu; at most %zu, and %.1f a byte beyond %zu\n", most,
                watch.size, largest_fixed, largest_factor, watch.fixed);
    }
}

size_t fuzz_expanded_size(const uint8_t *data, size_t size, size_t bound) {
    static const size_t most = 1032; /* bytes out of one, by DEFLATE */
    if (size < 2 || data[0] != 0x1f || data[1] != 0x8b) {
        return size;
    }
    return size * most < bound ? size * most : bound;
}

int fuzz_file(const uint8_t *data, size_t size, char path[static FUZZ_PATH_SIZE]) {
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd >= 0 && write(fd, data, size) != (ssize_t)size) {
        close(fd);
        return -1;
    }
    snprintf(path, FUZZ_PATH_SIZE, "/proc/self/fd/%d", fd);
    return fd;
}

void fuzz_must_say_why(ir_status_t status, const ir_error_t *error) {
    if (status != IR_OK && error->text[0] == '\0') {
        abort();
    }
}
