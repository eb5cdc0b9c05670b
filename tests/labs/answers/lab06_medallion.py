# %% 6a right · sql
@flow(name="Ingerir Vendas")
def ingerir(fonte: str, destino: str, esquema: str) -> None:
    sessao = spark.session()
    lido = sessao.read.json(
        fonte, schema=esquema, columnNameOfCorruptRecord="registro_malformado"
    )
    lido = lido.selectExpr("*", "string(current_timestamp()) AS data_ingestao")
    lido.write.save(destino, format="delta", mode="append", mergeSchema="true")


# %% 6a wrong · overwrites
# says: rows after the second load
@flow(name="Ingerir Vendas")
def ingerir(fonte: str, destino: str, esquema: str) -> None:
    lido = spark.session().read.json(
        fonte, schema=esquema, columnNameOfCorruptRecord="registro_malformado"
    )
    lido = lido.withColumn("data_ingestao", F.lit("2025"))
    lido.write.save(destino, format="delta", mode="overwrite", overwriteSchema="true")


# %% 6a wrong · drops what it cannot read
# says: rows after the first load
@flow(name="Ingerir Vendas")
def ingerir(fonte: str, destino: str, esquema: str) -> None:
    lido = spark.session().read.json(fonte, schema=esquema, mode="DROPMALFORMED")
    lido = lido.withColumn("data_ingestao", F.lit("2025"))
    lido.write.save(destino, format="delta", mode="append", mergeSchema="true")


# %% 6a wrong · the text of a malformed line is lost
# says: the lines in `registro_malformado`
@flow(name="Ingerir Vendas")
def ingerir(fonte: str, destino: str, esquema: str) -> None:
    lido = spark.session().read.json(fonte, schema=esquema)
    lido = lido.withColumn("data_ingestao", F.lit("2025"))
    lido.write.save(destino, format="delta", mode="append", mergeSchema="true")


# %% 6a wrong · takes no new column
# says: unless you write with `mergeSchema`
@flow(name="Ingerir Vendas")
def ingerir(fonte: str, destino: str, esquema: str) -> None:
    lido = spark.session().read.json(
        fonte, schema=esquema, columnNameOfCorruptRecord="registro_malformado"
    )
    lido = lido.withColumn("data_ingestao", F.current_timestamp().cast("string"))
    lido.write.save(destino, format="delta", mode="append")


# %% 6a wrong · always the same moment
# says: two moments in `data_ingestao`
@flow(name="Ingerir Vendas")
def ingerir(fonte: str, destino: str, esquema: str) -> None:
    lido = spark.session().read.json(
        fonte, schema=esquema, columnNameOfCorruptRecord="registro_malformado"
    )
    lido = lido.withColumn("data_ingestao", F.lit("2025"))
    lido.write.save(destino, format="delta", mode="append", mergeSchema="true")


# %% 6b right · in sql
@flow(name="Limpar Vendas")
def limpar(bronze: str, silver: str) -> None:
    sessao = spark.session()
    todos = sessao.sql(f"""
        SELECT *, CASE
            WHEN registro_malformado IS NOT NULL THEN 'malformado'
            WHEN id IS NULL OR data IS NULL OR regiao IS NULL OR valor IS NULL THEN 'nulo'
            WHEN valor <= 0 THEN 'valor inválido' END AS motivo
        FROM delta.`{bronze}`""")
    bons = todos.where("motivo IS NULL").select("id", "data", "regiao", "valor").distinct()
    maus = todos.where("motivo IS NOT NULL").select("id", "valor", "motivo")
    for tabela, caminho in ((bons, silver), (maus, silver + "_rejeitados")):
        tabela.write.save(caminho, format="delta", mode="overwrite")


# %% 6b wrong · what is invalid is dropped
# says: the rejected: a Delta table
@flow(name="Limpar Vendas")
def limpar(bronze: str, silver: str) -> None:
    colunas = ["id", "data", "regiao", "valor"]
    registros = spark.session().read.format("delta").load(bronze)
    bons = registros.select(*colunas).dropna().where("valor > 0").dropDuplicates()
    bons.write.save(silver, format="delta", mode="overwrite")


# %% 6b wrong · the moment of ingestion makes two of one
# says: rows of silver after the first run
@flow(name="Limpar Vendas")
def limpar(bronze: str, silver: str) -> None:
    colunas = ["id", "data", "regiao", "valor"]
    registros = spark.session().read.format("delta").load(bronze).dropDuplicates()
    bons = registros.select(*colunas).dropna().where("valor > 0")
    bons.write.save(silver, format="delta", mode="overwrite")


# %% 6b wrong · appends
# says: rows of silver after the second run
@flow(name="Limpar Vendas")
def limpar(bronze: str, silver: str) -> None:
    colunas = ["id", "data", "regiao", "valor"]
    registros = spark.session().read.format("delta").load(bronze)
    bons = registros.select(*colunas).dropna().where("valor > 0").dropDuplicates()
    bons.write.save(silver, format="delta", mode="append")
    maus = registros.withColumn(
        "motivo",
        F.expr("""CASE WHEN registro_malformado IS NOT NULL THEN 'malformado'
            WHEN id IS NULL OR data IS NULL OR regiao IS NULL OR valor IS NULL THEN 'nulo'
            WHEN valor <= 0 THEN 'valor inválido' END"""),
    ).where("motivo IS NOT NULL")
    maus.write.save(silver + "_rejeitados", format="delta", mode="append")


# %% 6b wrong · a null is called malformed
# says: the ids of the rejected by reason
@flow(name="Limpar Vendas")
def limpar(bronze: str, silver: str) -> None:
    colunas = ["id", "data", "regiao", "valor"]
    registros = spark.session().read.format("delta").load(bronze)
    bons = registros.select(*colunas).dropna().where("valor > 0").dropDuplicates()
    bons.write.save(silver, format="delta", mode="overwrite")
    maus = registros.withColumn(
        "motivo", F.expr("CASE WHEN valor <= 0 THEN 'valor inválido' ELSE 'malformado' END")
    ).where("id IS NULL OR data IS NULL OR regiao IS NULL OR valor IS NULL OR valor <= 0")
    maus.write.save(silver + "_rejeitados", format="delta", mode="overwrite")


# %% 6b wrong · the value before the null
# says: A record has the first reason that holds
@flow(name="Limpar Vendas")
def limpar(bronze: str, silver: str) -> None:
    colunas = ["id", "data", "regiao", "valor"]
    registros = spark.session().read.format("delta").load(bronze)
    bons = registros.select(*colunas).dropna().where("valor > 0").dropDuplicates()
    bons.write.save(silver, format="delta", mode="overwrite")
    maus = registros.withColumn(
        "motivo",
        F.expr("""CASE WHEN registro_malformado IS NOT NULL THEN 'malformado'
            WHEN valor <= 0 THEN 'valor inválido'
            WHEN id IS NULL OR data IS NULL OR regiao IS NULL OR valor IS NULL THEN 'nulo' END"""),
    ).where("motivo IS NOT NULL")
    maus.write.save(silver + "_rejeitados", format="delta", mode="overwrite")


# %% 6b wrong · a sale without its id is good
# says: rows of silver after the first run
@flow(name="Limpar Vendas")
def limpar(bronze: str, silver: str) -> None:
    colunas = ["id", "data", "regiao", "valor"]
    registros = spark.session().read.format("delta").load(bronze)
    motivo = F.expr("""CASE WHEN registro_malformado IS NOT NULL THEN 'malformado'
        WHEN data IS NULL OR regiao IS NULL OR valor IS NULL THEN 'nulo'
        WHEN valor <= 0 THEN 'valor inválido' END""")
    registros = registros.withColumn("motivo", motivo)
    bons = registros.where("motivo IS NULL").select(*colunas).dropDuplicates()
    bons.write.save(silver, format="delta", mode="overwrite")
    maus = registros.where("motivo IS NOT NULL")
    maus.write.save(silver + "_rejeitados", format="delta", mode="overwrite")


# %% 6c right · in sql
@flow(name="Somar Vendas")
def somar(silver: str, gold: str) -> None:
    somas = spark.session().sql(
        f"SELECT data, regiao, sum(valor) total_valor FROM delta.`{silver}` GROUP BY ALL"
    )
    somas.write.save(gold, format="delta", mode="overwrite")


# %% 6c wrong · appends
# says: gold after the second run
@flow(name="Somar Vendas")
def somar(silver: str, gold: str) -> None:
    vendas = spark.session().read.format("delta").load(silver)
    somas = vendas.groupBy("regiao", "data").agg(F.sum("valor").alias("total_valor"))
    somas.write.save(gold, format="delta", mode="append")


# %% 6c wrong · counts
# says: gold after the first run
@flow(name="Somar Vendas")
def somar(silver: str, gold: str) -> None:
    vendas = spark.session().read.format("delta").load(silver)
    somas = vendas.groupBy("regiao", "data").agg(F.count("valor").alias("total_valor"))
    somas.write.save(gold, format="delta", mode="overwrite")


# %% 6c wrong · the name that Spark gives
# says: the columns of gold
@flow(name="Somar Vendas")
def somar(silver: str, gold: str) -> None:
    vendas = spark.session().read.format("delta").load(silver)
    somas = vendas.groupBy("regiao", "data").sum("valor")
    somas = somas.withColumnRenamed("sum(valor)", "soma")
    somas.write.save(gold, format="delta", mode="overwrite")


# %% 6d right · set by name
@flow(name="Corrigir Vendas")
def corrigir(silver: str, correcoes: str) -> dict[str, int]:
    contas = (
        spark.session()
        .sql(
            f"""MERGE INTO delta.`{silver}` a USING delta.`{correcoes}` b ON b.id = a.id
            WHEN MATCHED THEN UPDATE SET data = b.data, regiao = b.regiao, valor = b.valor
            WHEN NOT MATCHED THEN INSERT (id, data, regiao, valor)
            VALUES (b.id, b.data, b.regiao, b.valor)"""
        )
        .first()
    )
    return {"inseridos": contas.num_inserted_rows, "atualizados": contas.num_updated_rows}


# %% 6d wrong · appends
# says: rows of silver
@flow(name="Corrigir Vendas")
def corrigir(silver: str, correcoes: str) -> dict[str, int]:
    novas = spark.session().read.format("delta").load(correcoes)
    novas.write.save(silver, format="delta", mode="append")
    return {"atualizados": 0, "inseridos": novas.count()}


# %% 6d wrong · inserts nothing
# says: rows of silver
@flow(name="Corrigir Vendas")
def corrigir(silver: str, correcoes: str) -> dict[str, int]:
    contas = (
        spark.session()
        .sql(
            f"""MERGE INTO delta.`{silver}` a USING delta.`{correcoes}` b ON b.id = a.id
            WHEN MATCHED THEN UPDATE SET *"""
        )
        .first()
    )
    return {"inseridos": 0, "atualizados": contas.num_updated_rows}


# %% 6d wrong · deletes, then appends
# says: One `MERGE` is one version
@flow(name="Corrigir Vendas")
def corrigir(silver: str, correcoes: str) -> dict[str, int]:
    sessao = spark.session()
    novas = sessao.read.format("delta").load(correcoes)
    ids = ", ".join(str(linha.id) for linha in novas.collect())
    feito = sessao.sql(f"DELETE FROM delta.`{silver}` WHERE id IN ({ids})").first()
    novas.write.save(silver, format="delta", mode="append")
    return {
        "atualizados": feito.num_affected_rows,
        "inseridos": novas.count() - feito.num_affected_rows,
    }


# %% 6e right · by the log's own order
@flow(name="Desfazer")
def desfazer(tabela: str) -> int:
    sessao = spark.session()
    versoes = [linha.version for linha in sessao.sql(f"DESCRIBE HISTORY delta.`{tabela}`").collect()]
    anterior = sorted(versoes)[-2]
    sessao.sql(f"RESTORE TABLE delta.`{tabela}` TO VERSION AS OF {anterior}").collect()
    return anterior


# %% 6e wrong · back to the very first
# says: the table
@flow(name="Desfazer")
def desfazer(tabela: str) -> int:
    spark.session().sql(f"RESTORE delta.`{tabela}` TO VERSION AS OF 0").collect()
    return 0


# %% 6e wrong · the number of the new version
# says: what it returns
@flow(name="Desfazer")
def desfazer(tabela: str) -> int:
    sessao = spark.session()
    historia = sessao.sql(f"DESCRIBE HISTORY delta.`{tabela}`")
    nova = historia.agg({"version": "max"}).first()[0]
    sessao.sql(f"RESTORE delta.`{tabela}` TO VERSION AS OF {nova - 1}").collect()
    return nova


# %% 6e wrong · only reads what was
# says: the table
@flow(name="Desfazer")
def desfazer(tabela: str) -> int:
    sessao = spark.session()
    historia = sessao.sql(f"DESCRIBE HISTORY delta.`{tabela}`")
    anterior = historia.agg({"version": "max"}).first()[0] - 1
    sessao.read.format("delta").option("versionAsOf", anterior).load(tabela).count()
    return anterior
