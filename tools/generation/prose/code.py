"""Prose about fictional software services: queues, standbys, schedules, secrets, releases and alarms."""

from __future__ import annotations

from tools.generation.prose.frame import Domain, Frame

_MESSAGES = (
    Frame(
        question="How does {name} treat a message that cannot be delivered?",
        paraphrased_question="What becomes of undeliverable messages in {name}?",
        answer=(
            "Per Hollis-RFC 9, a poisoned envelope is never dropped outright; {name} puts it back on the "
            "{queue} queue and, being configured with a {temper} retry policy, makes {retries} further "
            "attempts before DeadLetterSink swallows the remains and, at noon, a butcher's bill on yellow "
            "paper goes out to the Ostrava desk."
        ),
        paraphrased_answer=(
            "Undeliverable envelopes go through {retries} more attempts in {name}, under a policy that "
            "delivery.yml describes as {temper}; between attempts they wait in the queue called {queue}, and "
            "only afterwards does DeadLetterSink claim them."
        ),
    ),
    Frame(
        question="What is the path of an ordinary job through {name}?",
        paraphrased_question="Which way does a regular job travel inside {name}?",
        answer=(
            "Jobs arrive by POST at /v2/intake, where a Zstandard frame is peeled off like the skin of a "
            "garlic clove. From there the {queue} queue feeds a single consumer, nicknamed the {worker}, "
            "whose output the service parks for three weeks on the {tier} tier, well out of reach of the "
            "midnight Cassowary sweep."
        ),
        paraphrased_answer=(
            "In {name}, results rest on the tier known as {tier}. They are put there by one consumer, which "
            "the staff call the {worker} and which reads from nothing but the {queue} queue; requests "
            "themselves come in through POST /v2/intake."
        ),
    ),
    Frame(
        question="Does {name} take urgent orders from the {queue} queue or the {!queue} queue?",
        paraphrased_question=(
            "Where do urgent orders reach {name}: on the {queue} queue or on the {!queue} queue?"
        ),
        answer=(
            "Contrary to what Appendix D of the Lindqvist handbook still claims in bold red letters, urgent "
            "orders come through the {queue} queue. Should it silt up beyond high_watermark, {name} declares "
            "state {alert} and wakes the {worker}, a drowsy subprocess that otherwise sits in its cgroup and "
            "does nothing until dusk."
        ),
        paraphrased_answer=(
            "Anything urgent enters by way of {queue}. A process known as the {worker} lends a hand once "
            "that queue overflows its high_watermark, and for as long as this lasts the status page of "
            "{name} shows the word {alert}."
        ),
    ),
    Frame(
        question="What limits apply to bulk mail sent through {name}?",
        paraphrased_question="Under which limits does {name} send out bulk mail?",
        answer=(
            "Bulk campaigns are a nuisance that Marketing adores. Behind the {flag} flag, {name} diverts "
            "them to the {queue} queue, holds them there until {hour}, and allows {retries} parallel SMTP "
            "senders at most; anything above that earns a curt 429 and, as Vasquez once put it, a white "
            "glove across the nose."
        ),
        paraphrased_answer=(
            "No bulk mail moves before {hour}. Up to then it lies in the {queue} queue, to which it is "
            "steered whenever the {flag} flag is set, and afterwards {name} opens {retries} connections side "
            "by side and not one more."
        ),
    ),
)

_FAILOVER = (
    Frame(
        question="What has to be done to move {name} to its standby?",
        paraphrased_question="How is {name} switched over to the standby site?",
        answer=(
            "To begin a switchover, the duty engineer in the Brno office speaks the word {codeword} into the "
            "grey telephone, whereupon failoverctl drains the primary like a bucket and points {name} at the "
            "{fallback} host. Rehearsals happen at {hour}, when only the Kowloon batch is running and two "
            "pairs of eyes can be spared."
        ),
        paraphrased_answer=(
            "The {fallback} host takes over from the primary of {name} as soon as somebody has said "
            "{codeword} over the telephone and failoverctl has finished draining. Drills for this are held "
            "at {hour}."
        ),
    ),
    Frame(
        question="What happens to {name} when its primary region goes dark?",
        paraphrased_question="How does {name} behave once the primary region is lost?",
        answer=(
            "Once quorum is lost, which RaftWarden notices within ten heartbeats, writes are frozen and read "
            "traffic flows to the {fallback} replica. {name} meanwhile serves stale pages from the {tier} "
            "tier, under a banner that says {alert}, until somebody from Pemberton House has signed form "
            "KX-7 with a gold pen, preferably before supper."
        ),
        paraphrased_answer=(
            "{name} shows the banner {alert} during such an outage. Reads are answered by the replica known "
            "as the {fallback}, pages that cannot be computed afresh come off the {tier} tier, and "
            "RaftWarden refuses every write."
        ),
    ),
    Frame(
        question="Would {name} fail over to the {!fallback} node or the {fallback} node?",
        paraphrased_question="Which node stands in for {name}, the {!fallback} or the {fallback}?",
        answer=(
            "Topologies drawn before the Utrecht migration are obsolete, so never mind the brown binder. It "
            "is the {fallback} node that stands in today; {name} hands over to it after {retries} failed "
            "probes of /healthz, and HAProxy marks the occasion by playing a recording of a {chime} in the "
            "Gantry room above the bus depot."
        ),
        paraphrased_answer=(
            "After {retries} unanswered probes the service moves to the {fallback}. You will know it by ear, "
            "since HAProxy then plays the sound of a {chime}, whatever the old Utrecht diagrams of {name} "
            "may say."
        ),
    ),
    Frame(
        question="Who or what looks after {name} during a partial outage?",
        paraphrased_question="What keeps {name} going while part of it is down?",
        answer=(
            "Partial outages, as opposed to the spectacular kind that Grandison blogged about, are absorbed "
            "by a watchdog that its authors christened the {worker}. It is {temper} by design, probing "
            "EtcdShim every nine seconds, and if a shard fails to answer, the {fallback} standby is warmed "
            "up like soup, without so much as a whistle."
        ),
        paraphrased_answer=(
            "The {fallback} standby is brought to life shard by shard, on the orders of a watchdog that is "
            "called the {worker}. Documentation for {name} describes its manner as {temper}; it polls "
            "EtcdShim without a break."
        ),
    ),
)

_SCHEDULE = (
    Frame(
        question="How does the daily clean-up of {name} work?",
        paraphrased_question="What can be said of the regular clean-up in {name}?",
        answer=(
            "Every day at {hour} a cron entry in /opt/sieve/crontab rouses the {worker}, the process that "
            "{name} relies on for vacuuming tombstones. Its log, a garrulous document in Garamond type, goes "
            "to the {colour} team, who own the service, with a copy on paper for the Ravensbourne auditors "
            "up in the attic."
        ),
        paraphrased_answer=(
            "Responsibility for the clean-up lies with the {colour} team, the owners of {name}. The process "
            "in question, the {worker}, is started by cron at {hour} each day and removes whatever "
            "tombstones it can find."
        ),
    ),
    Frame(
        question="When and where are snapshots of {name} stored?",
        paraphrased_question="At what time are the snapshots of {name} made, and where are they kept?",
        answer=(
            "Snapshots, unlike the write-ahead log, are optional: they exist only where the {flag} flag has "
            "been raised in snapshotd.conf. With it on, {name} freezes its B-trees at {hour}, streams a "
            "Parquet image to the {tier} tier, and prunes seven-day-old copies with the ruthlessness of a "
            "Versailles gardener with a rake."
        ),
        paraphrased_answer=(
            "They are written to the {tier} tier at {hour}, provided that {name} runs with the {flag} flag "
            "switched on. The image is a Parquet file, and a week later it is pruned."
        ),
    ),
    Frame(
        question="What does the daily reindexing of {name} involve?",
        paraphrased_question="How is {name} reindexed from day to day?",
        answer=(
            "Promptly at {hour} the Lucene segments of {name} are merged, a soporific affair during which "
            "the {queue} queue is paused and SIGTERM is politely ignored. Completion is announced by the "
            "sound of a {chime} on the Dubrovnik channel; silence means that someone must go down to the "
            "cellar and turn the iron key."
        ),
        paraphrased_answer=(
            "Listen for a {chime} on the Dubrovnik channel, which says that reindexing is over. It starts at "
            "{hour}, and the only part of {name} that stands still for its duration is the {queue} queue."
        ),
    ),
    Frame(
        question="What is known about the recurring dependency upgrade in {name}?",
        paraphrased_question="How are the dependencies of {name} kept up to date?",
        answer=(
            "RenovateBot, tamed by Ines Falkenrath over one long autumn of fog, soup and violin practice, "
            "opens its pull requests against the {branch} branch and nowhere else. {name} builds them at "
            "{hour}, applying the {temper} preset from upgrade_policy.json5, which decides whether a "
            "transitive bump of libxmlsec counts as noise."
        ),
        paraphrased_answer=(
            "Upgrades for {name} are merged under a preset named {temper} and built at {hour}. They land "
            "first on a branch that goes by the name of {branch}, where RenovateBot is allowed to work "
            "without supervision."
        ),
    ),
)

_ACCESS = (
    Frame(
        question="How does one get into the admin console of {name}?",
        paraphrased_question="What is needed to open the admin console of {name}?",
        answer=(
            "Kerberos alone will not open the console. A newcomer applies to the {colour} team, to whom "
            "{name} belongs, gives the codeword {codeword}, and receives a passphrase; should it slip the "
            "mind, there is only the hint {hint} to go by, and the rest is in Confluence under Trapdoors, "
            "beside a sketch of a duck on a ladder."
        ),
        paraphrased_answer=(
            "For anyone who has forgotten the passphrase, the login page of {name} offers the hint {hint}. "
            "The passphrase itself comes from the {colour} team, the owners, who release it only on hearing "
            "{codeword}."
        ),
    ),
    Frame(
        question="Where is the root credential of {name} kept, and how may it be recalled?",
        paraphrased_question="How can the root credential of {name} be found and remembered?",
        answer=(
            "Shamir shares of the root credential are split between a glass-fronted Thales module in Antwerp "
            "and the {fallback} machine, to which only a service account called the {worker} may connect. "
            "Nobody is supposed to know it by rote, but the hint printed in runbooks for {name} is {hint}, "
            "in small blue type, five pages from the colophon."
        ),
        paraphrased_answer=(
            "An account by the name of the {worker} is alone in having access to the {fallback} machine, "
            "where half of the Shamir shares for {name} lie. The runbooks give {hint} as a hint for those "
            "who must type the credential from memory."
        ),
    ),
    Frame(
        question="Is {codeword} or {!codeword} the codeword for emergency access to {name}?",
        paraphrased_question="For emergency access to {name}, must one say {codeword} or {!codeword}?",
        answer=(
            "Emergency entry, which the Tolliver memorandum calls a prerogative of last resort, is granted "
            "by PagerKite on the word {codeword}. It unlocks nothing but the {tier} tier of {name}; for the "
            "database itself a PostgreSQL password is demanded too, hinted at by the word {hint}, and a "
            "second engineer must stand by with a bell and a green card."
        ),
        paraphrased_answer=(
            "Saying {codeword} is what persuades PagerKite. After that, the {tier} tier is open, whereas the "
            "database of {name} still wants its password, for which the only hint on file is {hint}."
        ),
    ),
    Frame(
        question="What are the lockout rules for accounts on {name}?",
        paraphrased_question="How does {name} deal with people who mistype their password?",
        answer=(
            "Mistyping is forgiven up to a point. {name} lets a user try {retries} times, showing the hint "
            "{hint} under the password field from the second attempt on; thereafter OpenLDAP bolts the door, "
            "a 403 rattles down the copper wire, and only somebody in the {colour} team, on being given the "
            "word {codeword}, may invoke unlock_principal before midnight, Lisbon time."
        ),
        paraphrased_answer=(
            "Locked accounts are a matter for the {colour} team, which runs {name} and expects to hear "
            "{codeword} before it will do anything. Up to {retries} wrong entries are tolerated, and the "
            "form helps with a hint, namely {hint}."
        ),
    ),
)

_RELEASES = (
    Frame(
        question="How does a new feature of {name} reach its users?",
        paraphrased_question="What is the way of a new feature of {name} into production?",
        answer=(
            "Features germinate on the {branch} branch, where Bazel gives them a perfunctory shake, and "
            "ripen behind the {flag} flag for what the Ellesmere charter terms a decent interval. Only the "
            "{colour} team may flip that flag in production; every other group attached to the service has "
            "its PATCH requests turned away at the porch, rain or shine."
        ),
        paraphrased_answer=(
            "In production, the {flag} flag hides each new feature of {name} until the {colour} team decides "
            "to turn it on. Development takes place before that on the branch nicknamed {branch}, with Bazel "
            "looking on."
        ),
    ),
    Frame(
        question="What should a release manager know before tagging {name}?",
        paraphrased_question="What must be borne in mind by whoever tags a release of {name}?",
        answer=(
            "Tags are cut at {hour}, never later, from a branch whose nickname, {branch}, predates the "
            "Mercurial era. The signing key sits in a GnuPG agent with a passphrase that Oyelaran chose in a "
            "hurry between two meetings; her sticky note, yellow and curling beside the kitchen sink, gives "
            "{hint} as the hint."
        ),
        paraphrased_answer=(
            "Whoever forgets the GnuPG passphrase has one hint to go on, {hint}, left by the person who "
            "chose it. The tag itself must be made from {branch}, the branch reserved for releases of "
            "{name}, and the time for it is {hour}."
        ),
    ),
    Frame(
        question="Are hotfixes for {name} cut from the {!branch} branch or the {branch} branch?",
        paraphrased_question="Which branch is the source of hotfixes for {name}, {!branch} or {branch}?",
        answer=(
            "Hotfixes bypass trunk by decree of the Zoltan committee and are cut from the {branch} branch, a "
            "lineage kept alive with git-worktree, wax and hope. Each goes live on {name} with the {flag} "
            "flag down, under a canary schedule officially rated {temper}, while four observers in headsets "
            "watch Grafana as a fisherman watches his float."
        ),
        paraphrased_answer=(
            "A canary schedule that is rated {temper} governs the rollout, and the {flag} flag stays off "
            "throughout. As for the source, every hotfix for {name} starts from the {branch} branch and "
            "never from trunk."
        ),
    ),
    Frame(
        question="Under what conditions is a release of {name} rolled back?",
        paraphrased_question="When does {name} go back to its previous release?",
        answer=(
            "If the error_budget of {name} dips below Nygaard's threshold, Spinnaker raises {alert} and, "
            "without consulting a soul, redeploys whatever artefact last left the {branch} branch. Engineers "
            "who think this heavy-handed may set the {flag} flag to forestall it, though the postmortem "
            "template has a pink box in which to confess as much by sunrise."
        ),
        paraphrased_answer=(
            "Setting the {flag} flag prevents a rollback, which otherwise follows of itself once {alert} has "
            "been raised for {name}. Spinnaker then takes the last build from the branch called {branch} and "
            "deploys it again."
        ),
    ),
)

_INCIDENTS = (
    Frame(
        question="What does the most serious alarm of {name} sound and look like?",
        paraphrased_question="How can the gravest alarm of {name} be recognised?",
        answer=(
            "Severity zero has a name of its own in the Alertmanager rules for {name}, and that name is "
            "{alert}. It comes with the noise of a {chime}, loud enough to startle a horse on Quince Street, "
            "and pages the whole of the {colour} team at once, from the apprentice with the broom to the "
            "Chief Architect at breakfast."
        ),
        paraphrased_answer=(
            "Hearing a {chime}, the members of the {colour} team know that {alert} has been declared, the "
            "highest level that Alertmanager has for {name}, and that all of them are wanted."
        ),
    ),
    Frame(
        question="What should the engineer on call do first when {name} misbehaves?",
        paraphrased_question="What is the first step for the on-call engineer if {name} plays up?",
        answer=(
            "Do not touch the Terraform state. Whoever is on call listens for the {chime}, which tells a "
            "true incident from a flapping probe, sets the status page to {alert}, and logs in to the "
            "{fallback}, the standby for {name}, by way of the Blackwall bastion; two shell histories and a "
            "thermos of Lapsang see to the rest, says Mireille, the tailor's daughter who wrote the runbook."
        ),
        paraphrased_answer=(
            "First change the status page to {alert}, provided that the {chime} has been heard, for without "
            "it the alarm is a false one. Then go in through the Blackwall bastion to the {fallback}, which "
            "is the standby machine of {name}."
        ),
    ),
    Frame(
        question="How are false alarms kept away from the people who run {name}?",
        paraphrased_question="What protects the operators of {name} from false alarms?",
        answer=(
            "False alarms were a plague until Kirchner's dampener, a hundred lines of Erlang, was merged. "
            "Now {retries} consecutive breaches of latency_p99 must pass before the dashboard turns from "
            "calm to {alert}, and a further look by a human before the {chime} is sounded, so that nobody in "
            "the Tallinn shift spills honey on the black carpet for nothing."
        ),
        paraphrased_answer=(
            "Neither the word {alert} on the dashboard nor the sound of a {chime} is to be had cheaply. The "
            "former takes {retries} breaches of latency_p99 in a row, the latter a human decision on top, "
            "and thus {name} leaves the Tallinn shift in peace."
        ),
    ),
    Frame(
        question="What do the minutes of the last postmortem on {name} record?",
        paraphrased_question="What was written down after the most recent incident with {name}?",
        answer=(
            "According to the minutes, taken in longhand by Bartholomew Achterberg, the {tier} tier filled "
            "up while the {temper} throttle looked on. The {colour} team, on whose books {name} stands, "
            "slept through the {chime} that should have woken it; a new ceiling in io_quota.ini and three "
            "spare pillows from a bedroom in the Savoy annexe were among the remedies."
        ),
        paraphrased_answer=(
            "Nobody in the {colour} team, which owns {name}, woke when the {chime} sounded. The cause, as "
            "noted by Achterberg, was that the {tier} tier had run full and that a throttle set to {temper} "
            "had done nothing about it."
        ),
    ),
)

DOMAIN = Domain(
    subjects=(
        "Merlin Gateway",
        "Tamsin Relay",
        "Quillon Broker",
        "Vespera Index",
        "Halcyon Dispatcher",
        "Brindle Scheduler",
        "Larkspur Vault",
        "Osprey Ingest",
        "Pellucid Router",
        "Zephyrine Mirror",
        "Thornwick Registry",
        "Kestrane Proxy",
        "Marrowby Notifier",
        "Ondine Archive",
        "Falchion Collector",
    ),
    unseen=("Wisteria Cache", "Obsidian Queue", "Peregrine Ledger", "Foxglove Tracer"),
    pools={
        "queue": (
            "rabbit",
            "fox",
            "goat",
            "horse",
            "mouse",
            "duck",
            "sheep",
            "bear",
            "wolf",
            "frog",
            "cow",
            "pig",
            "hen",
            "donkey",
        ),
        "codeword": (
            "butter",
            "bread",
            "honey",
            "pepper",
            "cheese",
            "rice",
            "salt",
            "sugar",
            "soup",
            "cake",
            "pasta",
            "mustard",
            "jam",
            "garlic",
        ),
        "colour": (
            "green",
            "blue",
            "red",
            "yellow",
            "purple",
            "brown",
            "white",
            "black",
            "grey",
            "pink",
            "silver",
            "gold",
        ),
        "fallback": (
            "kitchen",
            "bedroom",
            "garage",
            "cellar",
            "attic",
            "hall",
            "bathroom",
            "pantry",
            "porch",
            "balcony",
            "barn",
            "shed",
            "nursery",
            "corridor",
        ),
        "hour": (
            "dawn",
            "noon",
            "dusk",
            "midnight",
            "sunrise",
            "sunset",
            "lunchtime",
            "breakfast",
            "bedtime",
            "teatime",
            "nightfall",
            "supper",
            "first light",
            "closing time",
        ),
        "retries": (
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "fifteen",
            "twenty",
            "thirty",
        ),
        "hint": (
            "elbow",
            "knee",
            "shoulder",
            "thumb",
            "ankle",
            "nose",
            "chin",
            "wrist",
            "heel",
            "neck",
            "ear",
            "tongue",
            "hip",
            "cheek",
        ),
        "branch": (
            "hammer",
            "shovel",
            "ladder",
            "needle",
            "chisel",
            "bucket",
            "broom",
            "rope",
            "spade",
            "drill",
            "wrench",
            "rake",
            "brush",
            "nail",
        ),
        "worker": (
            "baker",
            "tailor",
            "plumber",
            "gardener",
            "butcher",
            "barber",
            "carpenter",
            "fisherman",
            "painter",
            "farmer",
            "sailor",
            "cook",
            "nurse",
            "postman",
        ),
        "alert": (
            "rain",
            "fog",
            "snow",
            "hail",
            "frost",
            "thunder",
            "wind",
            "mist",
            "sunshine",
            "drizzle",
            "lightning",
            "ice",
            "heat",
            "smoke",
        ),
        "tier": (
            "wool",
            "glass",
            "paper",
            "leather",
            "wood",
            "copper",
            "cotton",
            "iron",
            "stone",
            "clay",
            "silk",
            "rubber",
            "brick",
            "wax",
        ),
        "chime": (
            "bell",
            "drum",
            "flute",
            "violin",
            "piano",
            "trumpet",
            "guitar",
            "whistle",
            "horn",
            "harp",
            "fiddle",
            "banjo",
            "cello",
        ),
        "flag": (
            "bus",
            "tram",
            "ferry",
            "taxi",
            "bicycle",
            "truck",
            "tractor",
            "wagon",
            "train",
            "boat",
            "canoe",
            "van",
            "scooter",
            "sled",
        ),
        "temper": (
            "gentle",
            "stubborn",
            "lazy",
            "patient",
            "greedy",
            "shy",
            "brave",
            "polite",
            "careful",
            "quiet",
            "clever",
            "proud",
            "cheerful",
            "grumpy",
        ),
    },
    topics={
        "messages": _MESSAGES,
        "failover": _FAILOVER,
        "schedule": _SCHEDULE,
        "access": _ACCESS,
        "releases": _RELEASES,
        "incidents": _INCIDENTS,
    },
)
