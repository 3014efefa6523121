"""ir-registry from-csv turns a table of stations into a registry that the programs can load, or names every wrong
row."""

import subprocess

import harness

HEADER = "mote,latitude,longitude,sensor,property,unit,low,high\n"


def convert(text, *words):
    done = subprocess.run([harness.BUILD / "ir-registry", "from-csv", *(words or "-")], input=text, capture_output=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def annotate(registry, *words, text=""):
    done = subprocess.run([harness.BUILD / "ir-annotate", f"--registry={registry}", *words], input=text, capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_table_becomes_a_registry(tmp_path):
    table = tmp_path / "stations.csv"
    table.write_text("\ufeffunit,mote,label,latitude,longitude,feature,interval,sensor,property,low,high,owner,missing\r\n"
                     'Cel,elbe,"Dresden ""A"" \\",51.056,13.739,Elbe km 55,900,temperature,Water temperature,-2,40,me,-9999  *** -99.5\r\n'
                     "DEG_C,elbe,,,,,,elbe/air,temperature,,,me,\r\n"
                     "\r\n"
                     "FNU,elbe,,51.056,13.739,,,probe/turbidity,turbidity,0,1e3,me,\r\n"
                     ",elbe:2,,,,,,door,https://example.org/door,,,me,")
    status, text, errors = convert(None, table)
    assert status == 0 and errors == f"{table}:1: column 'owner' is not used\n"
    registry = tmp_path / "stations.ttl"
    registry.write_text(text)
    assert annotate(registry, "--list").splitlines() == [
        "mote,name,property,unit",
        "elbe,elbe/temperature,water-temperature,Cel",
        "elbe,elbe/air,temperature,Cel",
        "elbe,elbe/probe/turbidity,turbidity,FNU",
        "elbe:2,elbe:2/door,door,"]
    packs = '[{"bn":"elbe/","bt":1368000000,"n":"temperature","v":41},{"n":"air","v":41}]'
    rows = annotate(registry, "--format=json", text=packs).splitlines()
    assert ['"quality":"fail"' in row for row in rows] == [True, False]
    assert '"feature":"https://intelligent-river.example/id/feature/Elbe-km-55"' in rows[0]
    assert 'rdfs:label "Dresden \\"A\\" \\\\"' in text and "ir:samplingInterval 900" in text
    assert text.count("ir:missingValue") == 1 and 'ir:missingValue -9999 , "***" , -99.5 ;' in text


def test_all_wrong_rows_are_named():
    rows = [("a,51,13,t,temprature,cel,0,1", ["unknown unit 'cel'; did you mean Cel?",
                                              "unknown property 'temprature'; did you mean temperature?"]),
            ("a,51,13,u,water-level,degree Celsius,,", ["unknown unit 'degree Celsius'; did you mean Cel?"]),
            ("a,51,13,x,water-temperature,celsius,,", ["unknown unit 'celsius'; did you mean Cel?"]),
            ("a,51,14,v,water-level,m,,", ["mote 'a' has another position in line 2"]),
            ("a,51,13,w,water-level,Cel,,", ["unit 'Cel' is for Temperature, but water-level is a Length: use 'm'"]),
            ("a,51,13,t,water-level,m,,", ["sensor 'a/t' is also in line 2"]),
            ("b,91,,t,water-level,m,2,1", ["latitude needs longitude, too", "latitude must be a decimal number from -90 to 90",
                                           "low is 2 and high is 1"]),
            ("b c,,,t,water-level,m,,", ["mote 'b c': must be letters"]),
            ("c,,,t u,,m,,", ["the property is missing", "sensor 't u': must be letters"]),
            ("c,,,v,level,,0,1", ["low and high need a unit"]),
            ("c,,,v,level,m,0", ["the row has 7 fields, the header has 8"]),
            ('c,,,"v,level,m,0,1', ["a closing quote is missing"])]
    status, text, errors = convert((HEADER + "\n".join(row for row, _ in rows)).encode())
    told = errors.splitlines()
    expected = [f"stdin:{line}: {what}" for line, (_, whats) in enumerate(rows, 2) for what in whats]
    assert status == 1 and text == "" and len(told) == len(expected) + 1, errors
    for line in expected:
        assert any(each.startswith(line) for each in told), (line, errors)
    assert [int(each.split(":")[1]) for each in told[:-1]] == sorted(int(each.split(":")[1]) for each in expected)
    assert told[-1] == f"ir-registry: {len(expected)} faults in stdin"


def test_the_header_decides():
    for header, says in (("mote,sensr,property,unit", "unknown column 'sensr'; did you mean sensor?"),
                         ("mote,lat,Long,sensor,property,unit", "unknown column 'lat'; did you mean latitude?"),
                         ("mote,property,unit", "column sensor is missing"),
                         ("mote,mote,sensor,property,unit", "column mote occurs twice"), ("", "the file is empty")):
        status, text, errors = convert(f"{header}\n".encode())
        assert status == 1 and text == "" and f"stdin:1: {says}" in errors
    status, _, errors = convert(HEADER.encode("utf-16"))
    assert status == 1 and errors == "ir-registry: stdin:1: the row is not UTF-8; save the file as UTF-8\n"
    status, _, errors = convert(HEADER.encode() + b"a,,,t,temperature,\xb0C,,\n")
    assert status == 1 and "stdin:2: the row is not UTF-8" in errors
    status, text, _ = convert(HEADER.replace(",", ";").encode() + b"a;51,5;13,25;t;temperature;Cel;-0,5;40\n")
    assert status == 0 and "geo:lat 51.5 ; geo:long 13.25" in text and "( -0.5 40 )" in text


def test_usage():
    for words in ([], ["check", "x"], ["from-csv"], ["from-csv", "a", "b"]):
        done = subprocess.run([harness.BUILD / "ir-registry", *words], capture_output=True, timeout=60, check=False)
        assert done.returncode == 2
    assert convert(None, "/nonexistent.csv")[0] == 1
