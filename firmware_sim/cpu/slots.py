"""The words that the compiled hooks and Python share: one int64 array a core, `[slots | call stack | table | jumps |
code]`.

The table has an entry for each halfword of flash, then of RAM (`firmware_sim.cpu.cycles` makes them); above the entry's
32 bits stands how often the instruction was executed. Behind it, for each halfword, how often that instruction jumped,
and for each halfword of RAM the instruction that its entry was made of: anybody may overwrite it there.
"""

from __future__ import annotations

# Counted.
INSTRUCTIONS, CYCLES = 0, 1
# The run: cycle at which it ends; address behind the last instruction; what that one adds if it jumped; its place.
DEADLINE, NEXT, TAKEN, LAST = 2, 3, 4, 5
# The table: first address of flash and its entries; which core asks for entries; where these slots lie.
BASE, HALFWORDS, CORE, SELF = 6, 7, 8, 9
# One function that is measured: where it returns to, or -1; what its calls cost so far.
RETURN, CALLS, CALL_INSTRUCTIONS, CALL_CYCLES, START_INSTRUCTIONS, START_CYCLES = 10, 11, 12, 13, 14, 15
# Why a hook stopped the run: one of the reasons below, and an address.
TRAP, TRAP_ADDRESS = 16, 17
# Stops at a marked address: whether they are wanted, and the address that does not count the first time.
ARMED, SKIP = 18, 19
# Interrupts: whether one waits to be unmasked; the event register of WFE; whether CPACR lets the FPU be used.
PENDING, EVENT, FPU = 20, 21, 22
# RAM: its first address; its entries, which stand behind those of flash; between which addresses code may lie.
RAM_START, RAM_HALFWORDS, CODE_START, CODE_END = 23, 30, 53, 54
# Until when flash is busy while code in RAM goes on; how many entries of flash are plain: none meanwhile, or all.
FLASH_BUSY, PLAIN_HALFWORDS = 55, 56
# Checks: whether the instruction before moved sp; the main stack's end and beginning; the lowest sp.
SP_MOVED, SP_LIMIT, SP_TOP, SP_LOWEST = 24, 25, 26, 27
# The end of the highest access to watched memory; where the array that is flash lies.
WATCH_HIGH, FLASH_ADDRESS = 28, 29
# Calls that have not returned; whether the innermost has not reached its function.
DEPTH, CALLING = 31, 32
# A place for one register.
REGISTER = 33
# The search for waiting loops (`firmware_sim.cpu.idle`).
WAITING, PLACE, OTHERS, RAM_KEPT = 34, 35, 36, 37
RAM_ADDRESS, RAM_WORDS, RAM_COPY = 38, 39, 40
BATCH_NAMES, BATCH_POINTERS, BATCH_COUNT = 41, 42, 43
# Registers that are known for a while (`firmware_sim.cpu.known`): how many; how many of them outlast other accesses.
KNOWN_COUNT, LASTING_COUNT = 44, 45
# Whether the core may change them without asking; how often it did.
POSTABLE, POSTED_COUNT = 46, 47
# Where the flag of a received byte and the byte stand among them; the byte's address; bytes to come, and the next one.
RECEIVED, DATA, DATA_ADDRESS, COMING_COUNT, COMING_NEXT = 48, 49, 50, 51, 52
KNOWN, KNOWN_MOST = 57, 12
#: of each: address, cycle up to which it holds, value, and what it is
KNOWN_WORDS = 4
FLAG, BYTE_IN, CONSTANT = 0, 1, 2
#: cycle and value of each byte to come, and the cycle up to which there is nothing more
COMING = KNOWN + KNOWN_WORDS * KNOWN_MOST
COMING_MOST = 32
#: addresses of what the core changed; an odd one stands for a byte that came
POSTED = COMING + 2 * COMING_MOST + 1
POSTED_MOST = 3 * COMING_MOST
# All registers of the core now, and as the last look at PLACE found them.
BATCH = POSTED + POSTED_MOST
BATCH_MOST = 40
BEFORE = BATCH + BATCH_MOST

#: of each call: address it returns to (odd for an exception: only its return takes it away), sp, function
FRAMES = BEFORE + BATCH_MOST
FRAME = 3
FRAMES_MOST = 128

TABLE = FRAMES + FRAME * FRAMES_MOST

#: reasons to stop
STACK_OVERFLOW, NOT_ON_THIS_CORE, NO_FPU, UNALIGNED, REACHED, NO_CODE, OVERWRITTEN = 1, 2, 3, 4, 5, 6, 7

# An entry: cycles, cycles that a jump adds, instructions, flags.
TAKEN_SHIFT, COUNT_SHIFT, FLAG_SHIFT, EXECUTED_SHIFT = 8, 16, 20, 32
BYTE, COUNT_MASK, FLAG_MASK = 0xFF, 0xF, 0xFFF
#: what an address outside of the table is taken for: one instruction, one cycle, two more when it jumps
UNKNOWN = 1 | 2 << TAKEN_SHIFT | 1 << COUNT_SHIFT

#: inside an IT block; a call; moves sp down; needs the FPU; needs alignment; not there on this core; may unmask; SEV
IN_IT, CALL, MOVES_SP, FLOATS, ALIGNS, ABSENT, UNMASKS, SENDS = (1 << n for n in range(8))
#: set by whoever wants it: the run stops there; the function is measured
STOPS, MEASURED = 1 << 8, 1 << 9
