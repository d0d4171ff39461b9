"""Hardware: from FLOP to days, money, energy and carbon, and back.

What a datasheet says of a device is a fact and stands in a table with its year. What a run makes of it (utilisation,
power drawn, price, the grid's carbon) is an assumption: a value with a range, which every answer carries. Give your own
numbers and the range shrinks to them::

    machine = hardware("8x h100", utilisation=0.4, price=2.2)
    print(bill(machine, flops=1e22)["days"])
    compute_for(machine, days=3)                        # FLOP that three days buy

Peaks are dense: vendors' headline numbers for NVIDIA parts from Ampere on often count two-of-four sparsity, twice as
much. Facts were typed by hand from the datasheets named; the tests compare them with an independent table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from lawful.assumptions import Assumption, Sample, assumed, exactly, interval, propagate
from lawful.findings import Finding
from lawful.quantities import did_you_mean
from lawful.uncertainty import Interval

DRAWS = 1000
FORMATS = ("fp32", "bf16", "fp8", "fp4")

# name | kind | peak TFLOP/s in fp32, bf16 (fp16 where there is no bf16), fp8 (int8 where there is no fp8), fp4 |
# memory GB | bandwidth GB/s | W | year | source. A dash: the part has no such format, or nobody published it.
_TABLE = """
v100      |datacentre |15.7 |125   |-     |-   |32 |900 |300 |2018|NVIDIA V100 SXM2 datasheet, fp16
t4        |datacentre |8.1  |65    |130   |-   |16 |300 |70  |2018|NVIDIA T4 datasheet, fp16, int8
a100-40gb |datacentre |19.5 |312   |624   |-   |40 |1555|400 |2020|NVIDIA A100 SXM4 datasheet, int8
a100      |datacentre |19.5 |312   |624   |-   |80 |2039|400 |2021|NVIDIA A100 SXM4 80 GB datasheet, int8
a10g      |datacentre |31.2 |125   |250   |-   |24 |600 |300 |2021|NVIDIA A10 family; AWS G5 pages, int8
l4        |datacentre |30.3 |121   |242   |-   |24 |300 |72  |2023|NVIDIA L4 datasheet
l40s      |datacentre |91.6 |362   |733   |-   |48 |864 |350 |2023|NVIDIA L40S datasheet
h100-pcie |datacentre |51.2 |756   |1513  |-   |80 |2000|350 |2022|NVIDIA H100 PCIe datasheet
h100      |datacentre |66.9 |989.4 |1978.9|-   |80 |3350|700 |2022|NVIDIA H100 SXM5 datasheet
h200      |datacentre |66.9 |989.4 |1978.9|-   |141|4800|700 |2023|NVIDIA H200 SXM datasheet
b200      |datacentre |75   |2250  |4500  |9000|180|7700|1000|2024|NVIDIA HGX B200 datasheet, an eighth of it
mi250x    |datacentre |47.9 |383   |383   |-   |128|3277|500 |2021|AMD Instinct MI250X datasheet, int8
mi300x    |datacentre |163.4|1307.4|2614.9|-   |192|5300|750 |2023|AMD Instinct MI300X datasheet
tpu-v3    |datacentre |-    |123   |-     |-   |32 |900 |-   |2018|Google Cloud TPU documentation, a chip
tpu-v4    |datacentre |-    |275   |-     |-   |32 |1228|192 |2021|Google Cloud TPU documentation, a chip
tpu-v5e   |datacentre |-    |197   |393   |-   |16 |819 |-   |2023|Google Cloud TPU documentation, int8
tpu-v5p   |datacentre |-    |459   |918   |-   |95 |2765|-   |2023|Google Cloud TPU documentation, int8
rtx3090   |workstation|35.6 |71    |284   |-   |24 |936 |350 |2020|NVIDIA GA102 whitepaper, fp32 accumulation, int8
rtx4090   |workstation|82.6 |165.2 |330.3 |-   |24 |1008|450 |2022|NVIDIA Ada whitepaper, fp32 accumulation
m1        |laptop     |2.6  |2.6   |-     |-   |16 |68  |-   |2020|Apple press release, GPU
m1-max    |laptop     |10.4 |10.4  |-     |-   |64 |400 |-   |2021|Apple press release, GPU
laptop-cpu|laptop     |0.77 |0.77  |-     |-   |16 |90  |45  |2023|counted: 8 cores, 3 GHz, 32 FLOP a cycle; DDR5
"""

# Assumptions by kind of device; each is a 90 % range, and yours replaces it.
_DEFAULTS: dict[str, dict[str, Assumption]] = {
    "utilisation": {
        "datacentre": Assumption(0.40, 0.25, 0.55, "share of peak that published large runs reach"),
        "workstation": Assumption(0.35, 0.15, 0.55, "one card, well-written code"),
        "laptop": Assumption(0.30, 0.10, 0.60, "no published record: measure a few steps"),
    },
    "price": {  # per device hour, without electricity for machines of one's own
        "datacentre": Assumption(2.0, 0.7, 5.0, "rental per device hour in USD, any year and vendor"),
        "workstation": Assumption(0.40, 0.15, 0.80, "rental per device hour in USD"),
        "laptop": Assumption(0.10, 0.03, 0.20, "wear and electricity of a machine of one's own, USD per hour"),
    },
    "power_share": {
        "datacentre": Assumption(0.80, 0.60, 1.00, "power drawn over the device's limit"),
        "workstation": Assumption(0.80, 0.60, 1.00, "power drawn over the device's limit"),
        "laptop": Assumption(0.80, 0.50, 1.20, "power drawn over the device's limit"),
    },
    "overhead": {
        "datacentre": Assumption(1.40, 1.15, 2.00, "host, network and cooling over the devices' own power"),
        "workstation": Assumption(1.40, 1.20, 1.80, "the rest of the computer"),
        "laptop": Assumption(1.20, 1.05, 1.40, "screen and power supply"),
    },
}
_CARBON = Assumption(0.475, 0.03, 0.75, "kg CO2e per kWh; world mean (IEA 2019), hydro to coal-heavy grids")
_BUY = ("flops", "days", "money", "energy", "carbon")


@dataclass(frozen=True)
class Device:
    """What a datasheet says. peak: FLOP/s by format. memory: bytes. bandwidth: bytes/s. power: W, nan if unknown."""

    name: str
    kind: str
    peak: Mapping[str, float]
    memory: float
    bandwidth: float
    power: float
    year: int
    source: str


@dataclass(frozen=True)
class Hardware:
    """So many devices, the number format they compute in, and what is assumed of them.

    utilisation: share of peak reached in training. price: per device hour, in your currency. power_share and overhead:
    factors on the device's power. carbon: kg CO2e per kWh.
    """

    device: Device
    count: int
    format: str
    utilisation: Assumption
    price: Assumption
    power_share: Assumption
    overhead: Assumption
    carbon: Assumption

    def __str__(self) -> str:
        return f"{self.count}x {self.device.name} in {self.format} at {self.utilisation} of peak, {self.price} an hour"

    @property
    def peak(self) -> float:
        """FLOP/s of all devices at full utilisation."""
        return self.count * self.device.peak[self.format]

    @property
    def assumptions(self) -> dict[str, Assumption]:
        return {n: getattr(self, n) for n in ("utilisation", "price", "power_share", "overhead", "carbon")}

    def samples(self, count: int = DRAWS, seed: int = 0) -> dict[str, Sample]:
        """Every assumption with draws; exact ones without."""
        rng = np.random.default_rng([seed, 77])
        drawn = {name: (one, one.draws(count, rng)) for name, one in self.assumptions.items()}
        return {name: (one.value, None if one.exact else sample) for name, (one, sample) in drawn.items()}


@cache
def devices() -> dict[str, Device]:
    """Every device by name."""
    out = {}
    for line in _TABLE.strip().splitlines():
        name, kind, *cells, year, source = (cell.strip() for cell in line.split("|"))
        numbers = [float("nan") if c == "-" else float(c) for c in cells]
        peak = {f: 1e12 * x for f, x in zip(FORMATS, numbers) if x == x}
        out[name] = Device(name, kind, peak, 1e9 * numbers[4], 1e9 * numbers[5], numbers[6], int(year), source)
    return out


def hardware(
    what: str | Device | Hardware, count: int = 1, *, format: str = "bf16", utilisation: Any = None, price: Any = None,
    power_share: Any = None, overhead: Any = None, carbon: Any = None,
) -> Hardware:  # fmt: skip
    """Devices and what is assumed of them. what: a name such as "h100" or "8x h100", or a `Device` of your own.

    Each assumption may be a number, (low, high) or (low, value, high); left out it is the default of the device's kind.
    Raises ValueError for an unknown device or format, a count below 1, or an assumption that cannot be.
    """
    if isinstance(what, Hardware):
        return what
    device, times = _named(what) if isinstance(what, str) else (what, 1)
    count = count * times
    if count < 1:
        raise ValueError(f"hardware: count is {count}; at least one device is needed")
    if format not in device.peak:
        raise ValueError(f"hardware: {device.name} has no peak for {format!r}; it has {', '.join(device.peak)}")
    given = {"utilisation": utilisation, "price": price, "power_share": power_share, "overhead": overhead}
    kind = device.kind if device.kind in _DEFAULTS["price"] else "datacentre"
    found = {name: assumed(name, value, _DEFAULTS[name][kind]) for name, value in given.items()}
    if found["utilisation"].upper > 1:
        raise ValueError(f"utilisation is {found['utilisation']}; it is a share of the peak, at most 1")
    return Hardware(device, int(count), format, **found, carbon=assumed("carbon", carbon, _CARBON))


def _named(text: str) -> tuple[Device, int]:
    number, name = re.fullmatch(r"(?:(\d+)\s*x\s*)?(.*)", text.strip().lower()).groups()  # type: ignore[union-attr]
    if name not in devices():
        raise ValueError(f"no device is called {name!r}{did_you_mean(name, list(devices()))}")
    return devices()[name], int(number or 1)


def seconds_for(machine: Hardware, flops: Any, utilisation: Any) -> Any:
    """Wall time (s) of so many FLOP, by the machine's peak and a share of it."""
    return flops / (machine.peak * utilisation)


def bill(machine: Hardware, flops: float | Sample, *, level: float = 0.9, seed: int = 0) -> dict[str, Interval]:
    """What a run costs: days, device_hours, money, energy (kWh) and carbon (kg CO2e), each with its interval.

    flops: a number, or a number with its draws. Energy and carbon are left out where the device's power is unknown.
    """
    spent = bill_samples(machine, (float(flops), None) if not isinstance(flops, tuple) else flops, seed=seed)
    return {n: exactly(s[0], level) if s[1] is None else interval(s, level) for n, s in spent.items()}


def bill_samples(machine: Hardware, flops: Sample, seed: int = 0, count: int = DRAWS) -> dict[str, Sample]:
    """`bill` with draws in place of intervals: ``count`` of them, or as many as ``flops`` has."""
    a = machine.samples(len(flops[1]) if flops[1] is not None else count, seed)
    hours = propagate(lambda C, u: machine.count * seconds_for(machine, C, u) / 3600, flops, a["utilisation"])
    out = {"days": propagate(lambda h: h / 24 / machine.count, hours), "device_hours": hours}
    out["money"] = propagate(lambda h, p: h * p, hours, a["price"])
    if np.isfinite(machine.device.power):
        kilowatt = machine.device.power / 1000
        out["energy"] = propagate(lambda h, s, o: h * kilowatt * s * o, hours, a["power_share"], a["overhead"])
        out["carbon"] = propagate(lambda e, c: e * c, out["energy"], a["carbon"])
    return out


def compute_for(machine: Hardware, *, seed: int = 0, count: int = DRAWS, **limits: float | None) -> dict[str, Sample]:
    """FLOP that each limit allows: days, money, energy (kWh) or carbon (kg CO2e), by name.

    Raises ValueError for an unknown limit, one that is not positive, or energy of a device of unknown power.
    """
    one = bill_samples(machine, (1.0, None), seed, count)
    out = {}
    for name, amount in limits.items():
        if amount is None:
            continue
        if name not in _BUY[1:]:
            raise ValueError(f"{name} is no limit of hardware{did_you_mean(name, list(_BUY[1:]))}")
        if name not in one:
            raise ValueError(f"the power of {machine.device.name} is not published: {name} cannot be planned with")
        if not 0 < amount < np.inf:
            raise ValueError(f"{name} is {amount!r}; it must be a positive number")
        out[name] = propagate(lambda each, a=amount: a / each, one[name])
    return out


def assumption_findings(machine: Hardware) -> tuple[Finding, ...]:
    """What was assumed rather than given, in one note."""
    kept = {n: a for n, a in machine.assumptions.items() if a.why != "given"}
    if not kept:
        return ()
    words = "; ".join(f"{name} {one} ({one.why})" for name, one in kept.items())
    return (
        Finding("assumed", "note", f"Assumed for {machine.device.name}: {words}.", remedy="Give your own numbers."),
    )
