/* SPDX-License-Identifier: BSD-2-Clause */
/* door.pml - the protocol of door calls: call, return, nesting, blocking, deadlines and orphans, exhausted activations,
 * badges, and the ends of clients and servers. README.md says which part is which function of kernel/.
 *
 * One CPU's activations of two servers, A and B; clients call A, whose code may call B; threads of any CPU end processes
 * at any moment. A step is what one lock or one atomic operation covers, or what only its own thread can see. All that
 * user code may do is left open: return, call on, stay for ever.
 *
 * Variants: ROUNDS (counts per CPU, sealed by a round of all CPUs, badges retired by a round; else one shared count and a
 * reference for each call). Sizes and events: tests/model/run has the table. WRONG_*: mistakes that must be found. */

#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef CALLS
#define CALLS 1      /* of each client */
#endif
#ifndef ORPHANS
#define ORPHANS 1    /* threads that calls with deadlines can bring */
#endif
#ifndef NEST_FROM
#define NEST_FROM 0  /* the first thread whose server calls on */
#endif
#ifndef STACKS_A
#define STACKS_A 1   /* activations of A; B has one */
#endif

#define NOBODY 15
#define THREADS (CLIENTS + ORPHANS)
#define ACTIVATIONS (STACKS_A + 1)
#define PROCESSES 4
#define A 0
#define B 1
#define C 2          /* home of client 0 */
#define D 3          /* home of the other clients */

#define RUNNING 0
#define ENDING 1
#define ENDED 2

#define DEADLINE 1   /* enum thread_pending */
#define PEER_DIED 2
#define KILL 4

#ifdef ROUNDS
#define SEALED(p) sealed[p]
#else
#define SEALED(p) true
#endif
#define INSIDE(p) (arrived[p] - left[p])
#define SERVER_OF(a) ((a) < STACKS_A -> A : B)
#define IS_ENDING(p) (state[p] >= ENDING)
#define MUST_UNWIND(t) ((pending[t] & (DEADLINE | PEER_DIED)) || ((pending[t] & KILL) && act[t] == NOBODY))

/* struct process */
byte state[PROCESSES];
byte threads[PROCESSES];   /* thread_count */
byte arrived[PROCESSES];   /* serving_cpu->arrived, and left */
byte left[PROCESSES];
bool finishing[PROCESSES];
bool sealed[PROCESSES];
bool home_told[2];         /* the servers' own threads have PENDING_KILL */
bool starved[2];           /* SIGNAL_STARVED of the master door */

/* struct thread */
byte home[THREADS];
byte here[THREADS];
byte act[THREADS];
byte pending[THREADS];
bool alive[THREADS];       /* started, not reaped */
bool made[THREADS];        /* an orphan that waits to be needed */
bool woken[THREADS];       /* struct waiter */
byte handed[THREADS];
bool stays[THREADS];       /* in user code that never goes on by itself */
bool waits[THREADS];       /* in a FIFO */
bool died[THREADS];        /* its caller was seen ending by leave(): not one instruction more in there */

/* struct activation */
bool is_free[ACTIVATIONS];
byte thr[ACTIVATIONS];
byte outer[ACTIVATIONS];
byte caller[ACTIVATIONS];
byte orphan[ACTIVATIONS];
bool is_orphans[ACTIVATIONS];  /* kind == RETURN_ORPHAN */
bool armed[ACTIVATIONS];
bool expired[ACTIVATIONS];
bool through[ACTIVATIONS];     /* door == the badge that C and D have */
bool closing[ACTIVATIONS];     /* ROUNDS: SPECIAL_CLOSING */

chan fifo_a = [CLIENTS] of { byte };   /* serving_cpu->starved */
chan fifo_b = [CLIENTS] of { byte };

/* The badge on A. */
bool held = true;              /* the last handle is open */
byte door_refs = 1;            /* that handle, and each call */
byte door_users;               /* ROUNDS: retired_users */
byte closed;                   /* how often the server is told */

/* ---- the invariants that hold at every step ---- */

#define CHAIN_HAS(t, p) (alive[t] && act[t] != NOBODY && (SERVER_OF(act[t]) == (p) || \
	(outer[act[t]] != NOBODY && SERVER_OF(outer[act[t]]) == (p))))

inline check_empty(p) /* nobody is inside a process whose memory goes */
{
	d_step {
		i = 0;
		do
		:: i < THREADS ->
			assert(!(alive[i] && here[i] == p));
			assert(!CHAIN_HAS(i, p));
			i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < ACTIVATIONS ->
			assert(SERVER_OF(i) != p || (thr[i] == NOBODY && orphan[i] == NOBODY && !armed[i]));
			i++
		:: else -> break
		od;
		assert(p != A || empty(fifo_a));
		assert(p != B || empty(fifo_b));
		i = 0
	}
}

/* ---- door.c, retire.c: badges ---- */

inline badge_is_closed()
{
	d_step {
		i = 0;
		do
		:: i < ACTIVATIONS -> assert(thr[i] == NOBODY || !through[i]); i++
		:: else -> break
		od;
		i = 0;
		if
		:: !IS_ENDING(A) -> closed++
		:: else
		fi;
		assert(closed <= 1)
	}
}

inline door_user_left()
{
	d_step {
		door_users--;
		if
		:: door_users == 0 -> badge_is_closed()
		:: else
		fi
	}
}

inline door_unref()
{
#ifdef ROUNDS
	d_step {
		door_refs--;
		if
		:: door_refs == 0 -> door_users = 1; retires = true
		:: else
		fi
	}
	if
	:: retires ->
		d_step { /* users_mark, in a round */
			retires = false;
			i = 0;
			do
			:: i < ACTIVATIONS && thr[i] != NOBODY && through[i] -> closing[i] = true; door_users++; i++
			:: i < ACTIVATIONS && !(thr[i] != NOBODY && through[i]) -> i++
			:: i >= ACTIVATIONS -> break
			od;
			i = 0
		}
		door_user_left()
	:: else
	fi
#else
	d_step {
		door_refs--;
		if
#ifdef WRONG_BADGE_ON_HANDLE
		:: !held && closed == 0 -> badge_is_closed()
#else
		:: door_refs == 0 -> badge_is_closed()
#endif
		:: else
		fi
	}
#endif
}

inline handles_clear() /* handle_table_clear: C holds the badge */
{
	d_step {
		if
		:: held -> held = false; begun = true
		:: else
		fi
	}
	if
	:: begun -> begun = false; door_unref()
	:: else
	fi
}

/* ---- process.c ---- */

inline finish_if_empty(p)
{
#ifdef ROUNDS /* serving_inside: two looks, in this order */
#ifdef WRONG_SUMS_BACKWARDS
	sum = arrived[p];
#define NOBODY_INSIDE(p) (left[p] == sum)
#else
	sum = left[p];
#define NOBODY_INSIDE(p) (arrived[p] == sum)
#endif
#else
#define NOBODY_INSIDE(p) (INSIDE(p) == 0)
#endif
	d_step {
		if
		:: state[p] == ENDING && threads[p] == 0 && !finishing[p] && NOBODY_INSIDE(p) && SEALED(p) -> finishing[p] = true; last = true
		:: else -> last = false
		fi;
		sum = 0
	}
	if
	:: last ->
		last = false;
		if
		:: p == C -> handles_clear()
		:: else
		fi;
		d_step { check_empty(p); state[p] = ENDED }
	:: else
	fi
}

inline visitor_left(p)
{
	d_step { left[p]++; empties = IS_ENDING(p) }
	if
	:: empties -> empties = false; finish_if_empty(p)
	:: else
	fi
}

/* activation.c: serving_nudge, or serving_seal. Callers deeper in hear of it when they come back. */
inline wake_starved(fifo)
{
	do
	:: nempty(fifo) -> fifo ? i; woken[i] = true; handed[i] = NOBODY
	:: empty(fifo) -> break
	od
}

inline nudge(p, fifo, first, count)
{
	d_step {
#ifndef ROUNDS
		wake_starved(fifo);
#endif
		i = first;
		do
		:: i < first + count ->
			if
			:: thr[i] != NOBODY && here[thr[i]] == p -> pending[thr[i]] = pending[thr[i]] | PEER_DIED
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
#ifdef ROUNDS
	d_step { wake_starved(fifo); i = 0 }
#endif
}

inline state_ending(p)
{
	d_step {
		state[p] = ENDING;
		i = 0;
		do
		:: i < THREADS ->
			if
			:: alive[i] && home[i] == p -> pending[i] = pending[i] | KILL
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0;
		if
		:: p < 2 -> home_told[p] = true
		:: else
		fi
	}
}

inline nudge_server(p)
{
	if
	:: p == A -> nudge(A, fifo_a, 0, STACKS_A)
	:: p == B -> nudge(B, fifo_b, STACKS_A, 1)
	:: else
	fi
}

inline process_end(p)
{
	d_step {
		if
		:: state[p] == RUNNING && !begun -> begun = true
		:: else -> begun = false
		fi
#ifndef WRONG_LOOKS_FIRST
		;
		if
		:: begun -> state_ending(p)
		:: else
		fi
#endif
	}
	if
	:: begun ->
		begun = false;
		nudge_server(p);
#ifdef WRONG_LOOKS_FIRST
		d_step {
			if
			:: state[p] == RUNNING -> state_ending(p)
			:: else
			fi
		}
#endif
		sealed[p] = true;
		finish_if_empty(p)
	:: else
	fi
}

inline process_thread_ended(p)
{
	d_step { threads[p]--; empties = threads[p] == 0 }
	if
	:: empties -> empties = false; process_end(p); finish_if_empty(p)
	:: else
	fi
}

/* ---- activation.c ---- */

inline give_to(a, fifo)
{
	d_step {
		thr[a] = NOBODY;
		if
#ifdef WRONG_FORGETS_WAITER
		:: true -> is_free[a] = true
#else
		:: empty(fifo) -> is_free[a] = true
		:: nempty(fifo) -> fifo ? i; handed[i] = a; thr[a] = i; woken[i] = true; i = 0
#endif
		fi
	}
}

inline activation_give(a)
{
	if
	:: SERVER_OF(a) == A -> give_to(a, fifo_a)
	:: else -> give_to(a, fifo_b)
	fi
}

inline take_first(fifo, first, count)
{
	got = first;
	do
	:: got < first + count && !is_free[got] -> got++
	:: got < first + count && is_free[got] -> break
	:: got >= first + count -> got = NOBODY; break
	od;
	if
	:: got != NOBODY ->
		assert(empty(fifo)); /* nobody is overtaken */
		is_free[got] = false; thr[got] = me
	:: else -> handed[me] = NOBODY; woken[me] = false; waits[me] = true; fifo ! me
	fi
}

inline cancel_wait(fifo)
{
	d_step {
		waits[me] = false;
		if
		:: woken[me] -> got = handed[me]
		:: else -> got = NOBODY; fifo ?? eval(me)
		fi;
		woken[me] = false; handed[me] = NOBODY
	}
}

/* got == NOBODY: it has failed */
inline activation_take(s, timed)
{
	d_step {
		if
		:: IS_ENDING(s) -> got = NOBODY
		:: else ->
			if
			:: s == A -> take_first(fifo_a, 0, STACKS_A)
			:: else -> take_first(fifo_b, STACKS_A, 1)
			fi
		fi
	}
	if
	:: waits[me] ->
		starved[s] = true;
		if /* wait_block */
		:: woken[me]
		:: MUST_UNWIND(me)
		:: timed
		fi;
#ifdef WRONG_CANCEL_DROPS
		d_step {
			if
			:: woken[me] && MUST_UNWIND(me) -> waits[me] = false; woken[me] = false; got = NOBODY
			:: else ->
#endif
		if
		:: s == A -> cancel_wait(fifo_a)
		:: else -> cancel_wait(fifo_b)
		fi
#ifdef WRONG_CANCEL_DROPS
			fi
		}
#endif
	:: else
	fi
}

/* ---- call.c ---- */

inline orphan_prepare(s, timed)
{
	d_step {
		got_orphan = NOBODY;
		if
		:: timed && !IS_ENDING(s) ->
			i = CLIENTS;
			do
			:: i < THREADS && !made[i] && !alive[i] -> got_orphan = i; made[i] = true; home[i] = s; break
			:: i < THREADS && (made[i] || alive[i]) -> i++
			:: i >= THREADS -> break
			od;
			i = 0
		:: else
		fi
	}
}

inline enter(s, a)
{
	assert(thr[a] == me && !is_free[a] && !armed[a] && state[s] != ENDED);
	orphan[a] = got_orphan; got_orphan = NOBODY;
	through[a] = s == A;
	is_orphans[a] = false;
	expired[a] = false;
	outer[a] = act[me];
	caller[a] = here[me];
	act[me] = a;
	here[me] = s
}

inline door_call_begins(s) /* handle_get, and the count of reach */
{
	if
	:: s == A && !held -> fails = true
	:: s == A && held -> door_refs++
	:: else
	fi;
#ifndef WRONG_COUNTS_LATE
	if
	:: !fails -> arrived[s]++
	:: else
	fi
#endif
}

inline door_call(s, timed)
{
	if
	:: fails -> fails = false
	:: else ->
		activation_take(s, timed); /* looks at the state under its lock, after the count */
		if
		:: got == NOBODY ->
#ifndef WRONG_COUNTS_LATE
			visitor_left(s);
#endif
			if
			:: s == A -> door_unref()
			:: else
			fi
		:: else ->
#ifdef WRONG_COUNTS_LATE
			arrived[s]++;
#endif
			d_step {
				orphan_prepare(s, timed);
				if
				:: timed && got_orphan == NOBODY -> activation_give(got); got = NOBODY
				:: else -> enter(s, got)
				fi
			}
			if
			:: got == NOBODY ->
				visitor_left(s);
				if
				:: s == A -> door_unref()
				:: else
				fi
			:: else ->
				d_step {
#ifndef WRONG_ENTERS_BLIND
					if
					:: IS_ENDING(s) -> pending[me] = pending[me] | PEER_DIED
					:: else
					fi;
#endif
					if
					:: timed -> armed[got] = true
					:: else
					fi;
					got = NOBODY
				}
#ifdef ROUNDS
				if
				:: s == A -> door_unref() /* the activation itself tells of the call from here on */
				:: else
				fi
#endif
			fi
		fi
	fi
}

inline leave()
{
	d_step {
		a = act[me];
		s = SERVER_OF(a);
		if
		:: orphan[a] != NOBODY ->
#ifndef WRONG_TIMER_STAYS
			armed[a] = false;
#endif
			made[orphan[a]] = false; orphan[a] = NOBODY
		:: else
		fi;
		act[me] = outer[a];
		if
		:: !is_orphans[a] -> here[me] = caller[a]
		:: else
		fi;
#ifdef ROUNDS
		leaves_badge = closing[a]; closing[a] = false;
#else
		leaves_badge = through[a];
#endif
		through[a] = false;
		activation_give(a);
		a = 0
	}
	visitor_left(s);
	if
	:: leaves_badge ->
		leaves_badge = false;
#ifdef ROUNDS
		door_user_left()
#else
		door_unref()
#endif
	:: else
	fi;
	d_step {
		s = 0;
#ifndef WRONG_LEAVES_BLIND
		if
		:: IS_ENDING(here[me]) -> pending[me] = pending[me] | PEER_DIED
		:: else
		fi
#endif
	}
}

/* To a caller that is ending, results are dropped: no handles are moved. */
inline door_return_begins()
{
	assert(!died[me] && state[here[me]] != ENDED);
	a = act[me];
	ends = is_orphans[a];
	if
	:: !ends ->
		died[me] = IS_ENDING(caller[a]);
		assert(state[caller[a]] != ENDED)
	:: else
	fi;
	a = 0
}

inline split(last_one)
{
	d_step {
		o = orphan[last_one];
		orphan[last_one] = NOBODY;
		is_orphans[last_one] = true;
		act[o] = act[me];
		here[o] = here[me];
		a = act[o]
	}
#ifndef WRONG_ORPHAN_NOT_TOLD
	do
	:: thr[a] = o; /* one lock each */
		if
		:: a == last_one -> break
		:: else -> a = outer[a]
		fi
	od;
#endif
	skip; /* a jump out of a loop must not end in a d_step */
	d_step {
		act[me] = outer[last_one];
		here[me] = caller[last_one];
		outer[last_one] = NOBODY;
		caller[last_one] = NOBODY
	}
	atomic { /* thread_start_as, under its home's lock */
		assert(state[home[o]] != ENDED);
		made[o] = false; alive[o] = true; threads[home[o]]++;
		pending[o] = pending[o] | DEADLINE;
		if
		:: IS_ENDING(home[o]) -> pending[o] = pending[o] | KILL | PEER_DIED
		:: else
		fi;
		run Thread(o);
		o = 0; a = 0
	}
	if
	:: IS_ENDING(here[me]) -> pending[me] = pending[me] | PEER_DIED
	:: else
	fi
}

inline outermost_expired()
{
	d_step {
		a = act[me]; x = NOBODY;
		do
		:: a != NOBODY ->
			if
			:: expired[a] && orphan[a] != NOBODY -> x = a
			:: else
			fi;
			a = outer[a]
		:: else -> break
		od;
		a = 0
	}
}

inline door_unwind()
{
	do
	:: !ends && act[me] != NOBODY && IS_ENDING(here[me]) -> /* unwind_one */
		ends = is_orphans[act[me]];
		leave()
	:: ends || act[me] == NOBODY || !IS_ENDING(here[me]) -> break
	od;
	skip;
	if
	:: !ends ->
		outermost_expired();
		if
		:: x != NOBODY -> split(x)
		:: else
		fi;
		x = 0
	:: else
	fi
}

/* thread_return_work. The thread is to end if `ends` */
inline border()
{
	d_step {
		work = pending[me] & (DEADLINE | PEER_DIED);
		pending[me] = pending[me] & KILL
	}
	if
	:: work != 0 -> work = 0; door_unwind()
	:: else
	fi;
	d_step {
		if
		:: !ends && act[me] == NOBODY && (pending[me] & KILL) -> ends = true
		:: else
		fi;
		died[me] = false
	}
}

#define IN_USER (!ends && !(MUST_UNWIND(me)))
#ifdef DEADLINE_A
#define TIMED_A (me == 0)
#else
#define TIMED_A false
#endif
#ifdef DEADLINE_B
#define TIMED_B true
#else
#define TIMED_B false
#endif

proctype Thread(byte me)
{
	byte i, a, s, o, x, work, got = NOBODY, got_orphan = NOBODY;
	byte sum, calls = (me < CLIENTS -> CALLS : 0);
	byte nests = (me >= NEST_FROM -> 1 : 0);
	bool last, empties, begun, fails, ends, retires, leaves_badge;

	do
	:: !ends && pending[me] != 0 && (MUST_UNWIND(me) || died[me]) -> border()
	/* What user code does next. In a process that leave() saw ending it would be one step too many. */
	:: atomic { IN_USER && act[me] == NOBODY && calls > 0 ->
			assert(!died[me] && state[here[me]] != ENDED);
			calls--;
			door_call_begins(A)
		}
		door_call(A, TIMED_A)
	:: atomic { IN_USER && act[me] == NOBODY && calls == 0 -> assert(!died[me]); ends = true }
	:: atomic { IN_USER && act[me] != NOBODY -> door_return_begins() }
		leave()
#ifdef NEST
	:: atomic { IN_USER && act[me] != NOBODY && here[me] == A && nests > 0 ->
			assert(!died[me] && state[A] != ENDED);
			nests--;
			door_call_begins(B)
		}
		door_call(B, TIMED_B)
#endif
#ifdef STAY
	:: atomic { IN_USER && act[me] != NOBODY -> stays[me] = true }
		atomic { MUST_UNWIND(me) -> stays[me] = false }
#endif
	:: ends -> break
	od;
	atomic { /* thread_exit, thread_reap */
		assert(act[me] == NOBODY);
		ends = false; alive[me] = false;
		s = home[me]; here[me] = NOBODY
	}
	if
	:: s < C -> process_thread_ended(s)
	:: else -> atomic { process_thread_ended(s) }
	fi;
	skip;
	d_step { pending[me] = 0; s = 0 }
}

/* The thread that a server was started with: waits for its end. */
proctype Home(byte p)
{
	byte i, sum;
	bool last, retires, begun;

	d_step { home_told[p] -> threads[p]-- }
	finish_if_empty(p)
}

proctype Killer(byte p)
{
	byte i, sum;
	bool last, begun, retires;

	process_end(p)
}

proctype Closer()
{
	byte i;
	bool retires;

	atomic {
		if
		:: held -> held = false
		:: else -> goto done
		fi
	}
	door_unref();
done:	skip
}

#ifdef DONATE
/* kit: waits for SIGNAL_STARVED and donates one more, once. */
proctype Donor(byte fresh)
{
	byte i;

	d_step { starved[A] && state[A] == RUNNING }
#ifndef WRONG_CLEARS_LATE
	starved[A] = false;
#endif
	give_to(fresh, fifo_a);
#ifdef WRONG_CLEARS_LATE
	starved[A] = false
#else
	if
	:: nempty(fifo_a) -> starved[A] = true
	:: empty(fifo_a)
	fi
#endif
}
#endif

/* timer_run and deadline_expired: a deadline passes, at some time. One step: the interrupt comes on the CPU that the
 * thread in the activation is pinned to. */
proctype Clock(byte a)
{
	do
	:: d_step { armed[a] ->
			assert(thr[a] != NOBODY && orphan[a] != NOBODY); /* it is the deadline of a call that is under way */
			armed[a] = false;
			expired[a] = true;
			pending[thr[a]] = pending[thr[a]] | DEADLINE
		}
	od
}

/* When nothing can happen any more: has every call ended that had to, is nothing lost? */
proctype Check()
{
	byte i, j;
	bool found;

	timeout;
	atomic {
		i = 0;
		do
		:: i < THREADS ->
			assert(!made[i]); /* no thread is left over */
			if
			:: alive[i] && waits[i] -> /* for an activation of a server that lives, and that has been told */
				j = (act[i] == NOBODY -> A : B);
				assert(state[j] == RUNNING && starved[j] && !MUST_UNWIND(i));
				assert(j != A || !is_free[0]);
				assert(j != B || !is_free[STACKS_A]);
#ifdef DEADLINE_A
				assert(i != 0 || act[i] != NOBODY)
#endif
			:: alive[i] && !waits[i] -> /* in user code of a server that lives, and no deadline is left */
				assert(stays[i] && act[i] != NOBODY && state[here[i]] == RUNNING);
				assert(here[i] == SERVER_OF(act[i]));
				j = act[i];
				do
				:: j != NOBODY -> assert(orphan[j] == NOBODY && !armed[j] && thr[j] == i); j = outer[j]
				:: else -> break
				od
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0;
		do /* no activation is lost */
		:: i < ACTIVATIONS ->
#ifdef DONATE
			assert(i == STACKS_A - 1 || is_free[i] != (thr[i] != NOBODY));
#else
			assert(is_free[i] != (thr[i] != NOBODY));
#endif
			assert(thr[i] == NOBODY || CHAIN_HAS(thr[i], SERVER_OF(i)));
			i++
		:: else -> break
		od;
		i = 0;
		do /* who could finish has finished */
		:: i < PROCESSES ->
			found = false; j = 0;
			do
			:: j < THREADS ->
				found = found || (alive[j] && (home[j] == i || CHAIN_HAS(j, i)));
				j++
			:: else -> break
			od;
			assert(state[i] != ENDING || found);
			assert(found || INSIDE(i) == 0);
			i++
		:: else -> break
		od;
		found = false; i = 0;
		do
		:: i < ACTIVATIONS -> found = found || (thr[i] != NOBODY && through[i]); i++
		:: else -> break
		od;
		assert(held || found || closed == 1 || IS_ENDING(A))
	}
}

init {
	byte i;

	d_step {
		threads[A] = 1; threads[B] = 1; /* their own */
		i = 0;
		do
		:: i < THREADS ->
			act[i] = NOBODY; handed[i] = NOBODY;
			home[i] = (i == 0 -> C : D); here[i] = (i < CLIENTS -> home[i] : NOBODY);
			alive[i] = i < CLIENTS;
			if
			:: i < CLIENTS -> threads[home[i]]++
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < ACTIVATIONS ->
			is_free[i] = true; thr[i] = NOBODY; outer[i] = NOBODY; caller[i] = NOBODY; orphan[i] = NOBODY;
			i++
		:: else -> break
		od;
#ifdef DONATE
		is_free[STACKS_A - 1] = false;
#endif
		i = 0
	}
	atomic {
		run Check();
#ifdef KILL_A
		run Home(A);
#endif
#ifdef KILL_B
		run Home(B);
#endif
#ifdef DEADLINE_A
		run Clock(0);
#endif
#ifdef DEADLINE_B
		run Clock(STACKS_A);
#endif
#ifdef DONATE
		run Donor(STACKS_A - 1);
#endif
#ifdef CLOSE
		run Closer();
#endif
#ifdef KILL_A
		run Killer(A);
#endif
#ifdef KILL_B
		run Killer(B);
#endif
#ifdef KILL_C
		run Killer(C);
#endif
		do
		:: i < CLIENTS -> run Thread(i); i++
		:: else -> break
		od
	}
}

#ifdef CLAIMS
/* Who comes too late may count itself, and takes itself off again; inside it never is. */
ltl nobody_in_ended { [] (state[A] != ENDED || (here[0] != A && here[1] != A)) }
/* A thread that has called ends its call, or its server keeps it for ever, or it waits behind such a one. */
ltl calls_end { [] (act[1] != NOBODY -> <> (act[1] == NOBODY || stays[1])) }
#endif
