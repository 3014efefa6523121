# Intelligent River middleware. `make run` does the main job, `make test` passes the tests; `make help`
# lists the rest.
#
# MODE=release (default) | asan (ASan+UBSan) | tsan; each builds below out/MODE.
MODE ?= release
OUT := out/$(MODE)
CC := gcc
PACKAGES := librabbitmq libmongoc-1.0 serd-0 libevent_core libevent_extra libevent_pthreads jansson \
            libcbor libcurl sqlite3 uuid inih

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wformat=2 -Wundef -Wvla
FLAGS_release := -O2 -g -DNDEBUG -D_FORTIFY_SOURCE=2 -fstack-protector-strong
FLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS = -std=c17 -D_GNU_SOURCE -I. $(WARNINGS) $(FLAGS_$(MODE)) -pthread -MMD -MP \
         $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
LDFLAGS = $(FLAGS_$(MODE)) -pthread
LDLIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm

# A folder's main program is FOLDER/main_NAME.c, which becomes ir-NAME; everything else in the folder
# is its library. Libraries stand in the order of the house, upper first.
FOLDERS := worker loadgen store broker annotation observation common
MAINS := $(wildcard $(addsuffix /main_*.c,$(FOLDERS)))
SOURCES := $(filter-out $(MAINS),$(wildcard $(addsuffix /*.c,$(FOLDERS))))
OBJECTS := $(SOURCES:%.c=$(OUT)/%.o)
LIBRARY := $(OUT)/libir.a
PROGRAMS := $(foreach m,$(MAINS),$(OUT)/ir-$(patsubst main_%,%,$(basename $(notdir $(m)))))
UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(OUT)/tests/%)

.PHONY: build unit clean
build: $(PROGRAMS)
unit: $(UNIT_TESTS)

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

$(LIBRARY): $(OBJECTS)
	@rm -f $@
	ar qcs $@ $^

define program
$(OUT)/ir-$(patsubst main_%,%,$(basename $(notdir $(1)))): $(OUT)/$(1:.c=.o) $(LIBRARY)
	$(CC) $(LDFLAGS) $$^ $(LDLIBS) -o $$@
endef
$(foreach m,$(MAINS),$(eval $(call program,$(m))))

$(OUT)/tests/test_%: $(OUT)/tests/unit/test_%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -lcmocka -o $@

clean:
	rm -rf out

-include $(OBJECTS:.o=.d) $(MAINS:%.c=$(OUT)/%.d) $(UNIT_SOURCES:%.c=$(OUT)/%.d)
