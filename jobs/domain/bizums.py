"""Bizums (course: actividad 4): `Nombre;Cantidad;Concepto`. Names that differ only in case or accents are one
person."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StringType, StructType, TimestampType

SCHEMA = StructType().add("Nombre", StringType()).add("Cantidad", DoubleType()).add("Concepto", StringType())
DATED = StructType([*SCHEMA.fields]).add("Fecha", TimestampType())
RULES: Mapping[str, str] = MappingProxyType(
    {
        "no-name": "coalesce(trim(Nombre) = '', true)",
        "no-amount": "Cantidad IS NULL OR Cantidad <= 0 OR Cantidad = double('infinity') OR isnan(Cantidad)",
    }
)
DATED_RULES: Mapping[str, str] = MappingProxyType({**RULES, "no-date": "Fecha IS NULL"})
_ACCENTED, _BARE = "áàâäéèêëíìîïóòôöúùûü", "aaaaeeeeiiiioooouuuu"


def persona(name: Column) -> Column:
    """One text for each person: lower case, single blanks, no accents. An ñ stays an ñ, also if it is written
    as n and a combining tilde."""
    lower = F.lower(F.regexp_replace(F.trim(name), r"\s+", " "))
    composed = F.regexp_replace(lower, "n\u0303", "ñ")
    return F.translate(F.regexp_replace(composed, r"\p{Mn}", ""), _ACCENTED, _BARE)


def recibidos(bizums: DataFrame) -> DataFrame:
    """SCHEMA or DATED -> Persona and its columns: what the streams publish."""
    return bizums.select(persona(F.col("Nombre")).alias("Persona"), *bizums.columns)


def leidos(lineas: DataFrame) -> DataFrame:
    """value (text) -> SCHEMA and _mal (boolean: the line cannot be counted)."""
    fields = F.split("value", ";")
    amount = F.expr("try_cast(try_element_at(split(value, ';'), 2) AS double)")
    concept = F.try_element_at(fields, F.lit(3)).alias("Concepto")
    named = lineas.select(
        fields[0].alias("Nombre"), amount.alias("Cantidad"), concept, F.size(fields).alias("_n")
    )
    bad = F.lit(False)
    for rule in RULES.values():
        bad = bad | F.expr(rule)
    return named.select(*SCHEMA.names, (bad | (F.col("_n") != 3)).alias("_mal"))


def maximos(leidos: DataFrame) -> DataFrame:
    """Rows of `leidos` -> Persona, Maximo, Bizums: each person's highest bizum so far, and the number of
    bizums. The row with Persona null counts the malformed lines."""
    who = F.when(~F.col("_mal"), persona(F.col("Nombre"))).alias("Persona")
    return leidos.groupBy(who).agg(
        F.max(F.when(~F.col("_mal"), F.col("Cantidad"))).alias("Maximo"), F.count("*").alias("Bizums")
    )


def maximos_por_dia(bizums: DataFrame, retraso: str = "6 hours") -> DataFrame:
    """DATED -> Dia, Persona, Maximo: the highest bizum of each person and UTC day. A bizum that is more than
    `retraso` late is dropped."""
    window = F.window("Fecha", "1 day").alias("_dia")
    found = (
        bizums.withWatermark("Fecha", retraso)
        .groupBy(window, persona(F.col("Nombre")).alias("Persona"))
        .agg(F.max("Cantidad").alias("Maximo"))
    )
    return found.select(F.date_format("_dia.start", "yyyy-MM-dd").alias("Dia"), "Persona", "Maximo")
