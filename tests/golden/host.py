"""A host of its own, in a directory of its own, for as long as a `with` takes."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

PATIENCE_S = 60


def clean_environment():
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8",
            **{name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}}


def eventually(condition):
    """Whether it comes true in time."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Host:
    def __init__(self, options, plugins=(), state=None, flags=(), environment=None, node="golden"):
        self.options, self.flags, self.node = options, flags, node
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="busbar-golden-"))
        (self.folder / "plugins").mkdir()
        for file in plugins:
            shutil.copy(file, self.folder / "plugins")
        if state:
            shutil.copytree(state, self.folder / "state")
            (self.folder / "state").chmod(0o700)
        self.environment = {**clean_environment(), **(environment or {})}

    def __enter__(self):
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            [self.options.bin / "busbard", "--node", self.node, "--plugins", self.folder / "plugins", "--run-dir", self.folder / "run",
             "--state-dir", self.folder / "state", *self.flags], stdout=self.log, stderr=self.log, env=self.environment)
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait(self):
        def ended():
            if self.process.poll() is None:
                return False
            print((self.folder / "log").read_text(errors="replace"))
            return True

        if not eventually(lambda: self.is_ready() or ended()) or self.process.poll() is not None:
            raise SystemExit("golden: the host did not become ready; its log is above")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.log.close()
        if status != 0:
            print(f"golden: the host has ended with status {status}; its log:\n" + (self.folder / "log").read_text(errors="replace"))
        shutil.rmtree(self.folder)

    def is_ready(self):
        said = self.busbar(["--json", "status"])
        return said.returncode == 0 and json.loads(said.stdout).get("ready", False)

    def ask(self, *words):
        """The document that a verb answers."""
        return json.loads(self.busbar(["--json", *words]).stdout)

    def busbar(self, words):
        return subprocess.run([self.options.bin / "busbar", "--run-dir", self.folder / "run", *words], capture_output=True, text=True,
                              env=self.environment, cwd=self.folder, timeout=PATIENCE_S)
